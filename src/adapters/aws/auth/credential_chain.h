// The program's credentials: the first source that has some, kept, and renewed while the old ones are still good, so
// that no request waits for a renewal.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/aws/auth/credentials.h"
#include "adapters/aws/auth/small_file.h"
#include "net/http/http_client.h"
#include "ports/clock.h"
#include "ports/executor.h"

namespace infra::aws {

// From five minutes before they expire the next get() starts a renewal behind itself; a failed one is repeated, at most
// every 1, 2, 4 … 30 s. A get() waits only if there are none, or none that are good for 10 s more; all that wait share
// one fetch, and for 1 s after a failed one they fail at once. Any event thread; what it is given outlives it, and the
// event threads' work.
class CredentialChain final : public CredentialProvider {
 public:
  CredentialChain(std::vector<std::unique_ptr<CredentialSource>> sources, Executor& executor, Clock& clock);
  ~CredentialChain() override;
  CredentialChain(const CredentialChain&) = delete;
  CredentialChain& operator=(const CredentialChain&) = delete;

  Task<Result<Credentials>> get(SteadyTime deadline) override;
  void refused(const Credentials& credentials) override;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// Environment, web identity, shared profile, container, instance metadata. `open`: for the files among them.
[[nodiscard]] std::unique_ptr<CredentialProvider> make_credential_chain(const Variables& variables,
                                                                        std::string_view region, net::HttpClient& http,
                                                                        Executor& executor, Clock& clock,
                                                                        OpenFile open = open_plainly);

// Those files, as the variables name them.
[[nodiscard]] std::vector<std::string> credential_files(const Variables& variables);

}  // namespace infra::aws
