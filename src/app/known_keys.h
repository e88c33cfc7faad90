// Keys by heart, so that a request costs no read of the store: each for a few seconds, which is how long one that was
// revoked elsewhere may go on working.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "app/id_source.h"
#include "app/key_rows.h"
#include "async/single_flight.h"
#include "core/lru.h"
#include "core/mutex.h"
#include "ports/clock.h"
#include "ports/executor.h"

namespace infra::app {

// Any event thread.
class KnownKeys {
 public:
  static constexpr std::size_t kKnown = 10'000;       // keys; as many that there are not
  static constexpr std::chrono::seconds kTrusted{4};  // from before the read: less than the 5 s that are promised
  static constexpr std::chrono::seconds kUseNoted{60};

  // `store` may be null: then there are no keys.
  KnownKeys(ConfigurationStore* store, IdSource& ids, Executor& executor, Clock& clock)
      : store_(store), ids_(ids), executor_(executor), clock_(clock), reading_(clock) {}

  // The key that this is, if it is valid; null if there is none. Without `may_ask` the store is not asked for one that
  // was never seen here: for addresses that guess. `unavailable` if the store does not answer.
  Task<Result<std::shared_ptr<const ApiKey>>> find(PresentedKey presented, bool may_ask);

  // Whether a key that was found here is still valid, with the secret that it was found with: for what goes on long
  // after its request was let in. False if the store does not answer.
  Task<bool> still_holds(std::shared_ptr<const ApiKey> key);

  // After a change of it here.
  void forget(const std::string& id);

 private:
  struct Read {
    std::shared_ptr<const KeyRow> row;  // null: there is none
    SteadyTime at{};
  };
  struct Known {
    Read read;
    std::optional<SteadyTime> noted{};
  };
  [[nodiscard]] std::optional<Read> recall(const std::string& id);
  Task<Result<Read>> look_up(std::string id);
  [[nodiscard]] bool was_seen(const std::string& id);
  Task<Result<Read>> read(std::string id);
  void learn(const std::string& id, const Read& read);
  void note_use(const KeyRow& row);
  Task<void> write_use(KeyRow row);

  ConfigurationStore* const store_;
  IdSource& ids_;
  Executor& executor_;
  Clock& clock_;
  SingleFlight<Read> reading_;
  Mutex mutex_;
  Lru<std::string, Known> known_ INFRA_GUARDED_BY(mutex_){kKnown};
  Lru<std::string, SteadyTime> absent_ INFRA_GUARDED_BY(mutex_){kKnown};  // guesses push out no keys
};

}  // namespace infra::app
