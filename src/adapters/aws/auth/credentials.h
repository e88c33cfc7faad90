// AWS credentials, and the interface of their sources.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "core/error.h"
#include "core/task.h"
#include "core/time.h"

namespace infra::aws {

// The program's environment as the sources read it, so that tests give their own.
using Variables = std::map<std::string, std::string, std::less<>>;

struct Credentials {
  std::string access_key_id;
  std::string secret_access_key;
  std::string session_token;             // empty: long-lived credentials
  std::optional<WallTime> expires_at{};  // nullopt: never
};

// A place that credentials come from. Any event thread; `not_found` if this place has none (the next one is asked),
// `unavailable` if it should have but can't say, `invalid` if what is there is malformed.
class CredentialSource {
 public:
  virtual ~CredentialSource() = default;
  [[nodiscard]] virtual std::string name() const = 0;  // for error messages: "environment", "shared profile" …
  virtual Task<Result<Credentials>> fetch() = 0;
};

// Gives the credentials for a request; callers ask before each. Any event thread.
class CredentialProvider {
 public:
  virtual ~CredentialProvider() = default;
  // Current ones: kept, and renewed before they expire. `unavailable` (code no_credentials) if no source has any, with
  // a sentence that names what was tried, or if none came before `deadline`.
  virtual Task<Result<Credentials>> get(SteadyTime deadline) = 0;
  // A service said that these have expired: if they are still the current ones, the next get() waits for new ones.
  virtual void refused(const Credentials& credentials) = 0;
};

}  // namespace infra::aws
