// Making, listing, rotating and revoking keys: each change is one conditional write of the key's own item, so there is
// no half of one.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "app/id_source.h"
#include "app/key_rows.h"
#include "app/known_keys.h"
#include "core/secrets_key.h"
#include "ports/clock.h"
#include "ports/random.h"

namespace infra::app {

struct WantedKey {
  std::string name;
  Scopes scopes;
  std::optional<FunctionList> functions{};
  std::optional<int> rate_limit{};
  std::optional<WallTime> expires_at{};
};

// A key with a secret that is told this once.
struct ToldKey {
  ApiKey key;
  std::string text;  // "ID.SECRET"
};

// Any event thread. Every method fails with `not_set_up` (code configuration_absent) if there is no store.
class Keys {
 public:
  // `secrets`: what secrets are sealed by; none: they are stored as digests alone.
  Keys(ConfigurationStore* store, KnownKeys& known, IdSource& ids, Random& random, const Clock& clock,
       std::optional<SecretsKey> secrets = std::nullopt)
      : store_(store), known_(known), ids_(ids), random_(random), clock_(clock), secrets_(std::move(secrets)) {}

  // `invalid` (code invalid_key) names the field; `conflict` (code too_many_keys).
  Task<Result<ToldKey>> make(WantedKey wanted);
  // Those that were revoked or have expired stay a week. By their ids.
  Task<Result<std::vector<ApiKey>>> list();
  // `not_found` (code key_not_found) also for one that is revoked.
  Task<Result<ApiKey>> find(std::string id);

  // A second secret; the one before goes on until it is dropped. `conflict` (code old_secret_kept) if there are two,
  // (code key_changing) while others change the key; `not_found`.
  Task<Result<ToldKey>> rotate(std::string id);
  // The one before. `not_found` (code old_secret_not_found).
  Task<Result<ApiKey>> drop_old(std::string id);
  Task<Result<ApiKey>> revoke(std::string id);

  // Whether requests can be signed with it: its newest secret can be read again here.
  [[nodiscard]] bool can_sign(const ApiKey& key) const;

 private:
  using Change = std::function<Result<void>(ApiKey&)>;
  Task<Result<std::optional<KeyRow>>> read(std::string id);
  Task<Result<ApiKey>> change(std::string id, Change apply);
  [[nodiscard]] std::string make_secret();
  [[nodiscard]] std::string seal(const std::string& secret, const std::string& id);  // empty without a SecretsKey

  ConfigurationStore* const store_;
  KnownKeys& known_;
  IdSource& ids_;
  Random& random_;
  const Clock& clock_;
  const std::optional<SecretsKey> secrets_;
};

}  // namespace infra::app
