// Results in a fleet: kept in Redis for an hour, announced to the controller that waits, and, where losing one would
// break a promise (asynchronous runs, large results), kept in the bucket as well.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "adapters/redis/open_runs.h"
#include "net/redis/redis_client.h"
#include "ports/clock.h"
#include "ports/code_store.h"
#include "ports/executor.h"
#include "ports/result_bus.h"

namespace infra {

struct RedisBusOptions {
  std::string controller_id{};         // empty on a worker, which waits for nothing
  std::function<bool()> subscribed{};  // whether what is announced now is heard
  // Once for each run that this controller accepted, when its result is heard or found, before its waiter goes on. Any
  // event thread; may be empty.
  std::function<void(const JobResult&)> on_heard{};
  // A result that its worker may not have recorded: a reference worker's, for a request of ours. Any event thread; may
  // be empty.
  std::function<void(JobResult)> on_foreign{};
  // A worker of the reference platform is there: it has answered a controller. Any event thread; may be empty.
  std::function<void()> on_reference_worker{};
};

// Announcements may be lost; so the store is read again for all that is waited for when a subscription is renewed and,
// by watch(), every 5 s.
//
// A reference worker's result is heard by every controller. The one that accepted the run completes it, keeps it in the
// bucket and has it recorded; the others wait some seconds for that, and then see to it themselves, in case that one is
// gone.
class RedisResultBus final : public ResultBus {
 public:
  static constexpr std::string_view kReferencePattern = "result:*";  // where a reference worker publishes

  RedisResultBus(net::RedisClient& redis, CodeStore& bucket, Clock& clock, Executor& executor, RedisBusOptions options);
  ~RedisResultBus() override;

  // `unavailable` while no answer could be heard.
  Task<Result<std::unique_ptr<ResultWaiter>>> expect(const RequestId& id) override;
  [[nodiscard]] std::string reply_channel() const override;
  Task<Result<void>> mark_pending(const RequestId& id) override;
  Task<Result<void>> forget(const RequestId& id) override;
  Task<Result<void>> publish(const Job& job, SharedResult result) override;
  Task<Result<StoredResult>> find(const RequestId& id) override;
  void abandon_waiters() override;

  // A run whose waiter is registered, or that is marked, goes to the queue now.
  void note_sent(const RequestId& id, const AcceptedRun& run);

  // Handlers of the subscription's messages. On an event thread; never blocks.
  void hear(std::string_view channel, std::string payload);
  void resubscribed();
  // Until the program ends.
  Task<void> watch();

 private:
  struct State;
  class Waiter;
  std::shared_ptr<State> state_;  // shared with waiters and with reads under way
};

}  // namespace infra
