// Whose job the queue of one machine hands out next: by function, in turn, and only with a slot, on a clock that the
// test moves.
#include <gtest/gtest.h>

#include <future>
#include <latch>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "adapters/sqlite/sqlite_job_queue.h"
#include "contract/embedded_world.h"
#include "contract/job_queue_contract.h"
#include "core/fair_lines.h"
#include "core/mutex.h"

namespace infra {
namespace {

// A worker's slots, without a worker.
class Slots final : public Turns {
 public:
  explicit Slots(SlotShares shares) : lines_(shares) {}
  void join(const FunctionId& function, RunMode mode) override {
    const MutexLock lock(mutex_);
    lines_.join(function, mode);
  }
  void withdraw(const FunctionId& function, RunMode mode, std::size_t count) override {
    const MutexLock lock(mutex_);
    lines_.withdraw(function, mode, count);
  }
  bool any() override {
    const MutexLock lock(mutex_);
    return lines_.next().has_value();
  }
  std::size_t free_for_all() override {
    const MutexLock lock(mutex_);
    return static_cast<std::size_t>(lines_.free_common());
  }
  std::optional<FairLines::Turn> next() override {
    const MutexLock lock(mutex_);
    auto turn = lines_.next();
    if (turn) lines_.begin(*turn);
    return turn;
  }
  void note_client(const FunctionId& function) override {
    const MutexLock lock(mutex_);
    lines_.note_client(function);
  }
  bool claim(const FunctionId&, RunMode) override { return true; }
  void drop(const FunctionId& function) override { end(function, {}); }
  void end(const FunctionId& function, milliseconds used) {
    const MutexLock lock(mutex_);
    lines_.end(function, used);
  }
  int running() {
    const MutexLock lock(mutex_);
    return lines_.running();
  }
  std::size_t waiting() {
    const MutexLock lock(mutex_);
    return lines_.waiting();
  }

 private:
  Mutex mutex_;
  FairLines lines_ INFRA_GUARDED_BY(mutex_);
};

class JobTurns : public ::testing::Test {
 protected:
  JobTurns() : queue_(std::move(*SqliteJobQueue::open(*world_.database))) {}
  ~JobTurns() override { queue_->attach(nullptr); }

  static Job job(const std::string& function, const std::string& id, RunMode mode) {
    Job job = make_job(id, mode);
    job.function_id = {function};
    return job;
  }
  void enqueue(const std::string& function, const std::string& id, RunMode mode = RunMode::async) {
    ASSERT_TRUE(world_.run(queue_->enqueue(job(function, id, mode))));
  }
  void flood(int count) {
    for (int i = 0; i < count; ++i) enqueue("flood", fmt::format("flood-{}", i));
  }
  static Task<void> put(JobQueue& queue, Job job, std::latch& done) {
    EXPECT_TRUE(co_await queue.enqueue(job));
    done.count_down();
  }
  std::vector<Delivery> receive(int max = 10) { return world_.run(queue_->receive(max, milliseconds{0})).value(); }
  std::string received(int max = 10) {
    std::string ids;
    for (const auto& delivery : receive(max)) ids += delivery.job.request_id.value + ' ';
    return ids;
  }

  EmbeddedWorld world_;
  std::unique_ptr<SqliteJobQueue> queue_;
  Slots slots_{SlotShares::of(16)};
};

TEST_F(JobTurns, TheFunctionsTakeTurnsAndEachOnesOldestGoesFirst) {
  flood(5);
  enqueue("f", "f-1");
  enqueue("f", "f-2", RunMode::sync);
  EXPECT_EQ(received(4), "flood-0 f-1 flood-1 f-2 ");
  EXPECT_EQ(received(), "flood-2 flood-3 flood-4 ");
}

TEST_F(JobTurns, AFloodLeavesTheLastSlotsToOthers) {
  flood(20);
  queue_->attach(&slots_);
  EXPECT_EQ(receive(20).size(), 13U);
  enqueue("f", "sync", RunMode::sync);
  enqueue("g", "async");
  EXPECT_EQ(received(), "sync async ");
  enqueue("f", "beside", RunMode::sync);
  enqueue("h", "late", RunMode::sync);
  EXPECT_EQ(received(), "beside ") << "in the client's slot";
  EXPECT_EQ(received(), "");
  slots_.end({"f"}, milliseconds{15});
  EXPECT_EQ(received(), "late ");
  EXPECT_EQ(world_.run(queue_->depth())->ready, 7);
}

// After a crash, too, the one job of another function is among the first.
TEST_F(JobTurns, LinesAreThereAgainAfterARestart) {
  flood(20);
  enqueue("f", "f-1");
  const testing::TempFolder after;
  world_.copy_files_to(after.path());
  const auto database = world_.open(after.path());
  const auto queue = std::move(*SqliteJobQueue::open(*database));
  queue->attach(&slots_);
  EXPECT_EQ(slots_.waiting(), 21U);
  std::set<std::string> ids;
  for (const auto& delivery : world_.run(queue->receive(20, milliseconds{0})).value()) {
    ids.insert(delivery.job.request_id.value);
  }
  EXPECT_EQ(ids.size(), 13U);
  EXPECT_TRUE(ids.contains("f-1"));
  queue->attach(nullptr);
}

TEST_F(JobTurns, AReceiverThatWaitsLooksAgainWhenASlotIsFree) {
  queue_->attach(&slots_);
  flood(14);
  ASSERT_EQ(receive(20).size(), 13U);
  auto got = std::async(std::launch::async, [&] { return world_.run(queue_->receive(1, std::chrono::hours{1})); });
  world_.await_sleepers(1);
  slots_.end({"flood"}, std::chrono::seconds{10});
  queue_->look_for_turns();
  EXPECT_EQ(got.get()->at(0).job.request_id.value, "flood-13");
}

TEST_F(JobTurns, NothingIsLeftOfWhoIsDoneWithOrStays) {
  queue_->attach(&slots_);
  flood(3);
  enqueue("f", "sync", RunMode::sync);
  for (const auto& delivery : receive()) {
    ASSERT_TRUE(world_.run(queue_->acknowledge(delivery.receipt)));
    slots_.end(delivery.job.function_id, milliseconds{1});
  }
  flood(2);
  enqueue("f", "sync", RunMode::sync);
  EXPECT_EQ(slots_.waiting(), 3U);
  queue_->wake_receivers();
  EXPECT_EQ(slots_.waiting(), 1U) << "async jobs stay for the next program";
  EXPECT_EQ(received(), "sync ");
  EXPECT_EQ(slots_.waiting(), 0U);
}

TEST_F(JobTurns, TheLastEighthOfTheQueueIsForWhoHasFewWaiting) {
  const auto queue = std::move(*SqliteJobQueue::open(*world_.database, {.memory_jobs = 80, .durable_jobs = 80}));
  for (const RunMode mode : {RunMode::async, RunMode::sync}) {
    const auto enqueue = [&](const std::string& function, int id) {
      const auto name = fmt::format("{}-{}-{}", function, id, mode == RunMode::sync ? 's' : 'a');
      return world_.run(queue->enqueue(job(function, name, mode)));
    };
    int id = 0;
    while (enqueue("flood", id)) ++id;
    EXPECT_EQ(id, 70);
    for (int i = 0; i < 10; ++i) EXPECT_TRUE(enqueue(fmt::format("f-{}", i % 2), i)) << i;
    EXPECT_EQ(enqueue("g", 0).error().code, "queue_full");
  }
}

// The bar, as an order: while one function keeps 1,000 runs of 10 s waiting, every call of another is handed out at
// once, and so is its asynchronous run; and the flood has all that the others leave to it.
TEST_F(JobTurns, ATideOfLongRunsKeepsNobodyElseWaiting) {
  queue_->attach(&slots_);
  constexpr int kFlood = 1000;
  std::latch queued(kFlood);
  for (int i = 0; i < kFlood; ++i) {
    world_.spawn(put(*queue_, job("flood", fmt::format("flood-{}", i), RunMode::async), queued));
  }
  queued.wait();
  std::multimap<milliseconds, Delivery> ends;
  const auto hand_out = [&](milliseconds now) {
    std::string others;
    for (auto& delivery : receive(16)) {
      const bool is_flood = delivery.job.function_id.value == "flood";
      if (!is_flood) others += delivery.job.request_id.value + ' ';
      ends.emplace(now + (is_flood ? milliseconds{10'000} : milliseconds{15}), std::move(delivery));
    }
    return others;
  };
  const milliseconds step{250};
  int floods_done = 0;
  for (milliseconds now{}; now < std::chrono::seconds{30}; now += step) {
    for (auto end = ends.begin(); end != ends.end() && end->first <= now; end = ends.erase(end)) {
      const auto& delivery = end->second;
      const bool is_flood = delivery.job.function_id.value == "flood";
      slots_.end(delivery.job.function_id, is_flood ? milliseconds{10'000} : milliseconds{15});
      ASSERT_TRUE(world_.run(queue_->acknowledge(delivery.receipt)));
      if (is_flood) enqueue("flood", fmt::format("more-{}", floods_done++));
    }
    world_.advance(step);
    if (now % milliseconds{9'000} < step) {  // their leases are renewed by whoever runs them
      for (const auto& [at, delivery] : ends) ASSERT_TRUE(world_.run(queue_->extend(delivery.receipt)));
    }
    (void)hand_out(now);
    enqueue("f", fmt::format("sync-{}", now.count()), RunMode::sync);
    ASSERT_EQ(hand_out(now), fmt::format("sync-{} ", now.count()));
    enqueue("g", fmt::format("async-{}", now.count()));
    ASSERT_EQ(hand_out(now), fmt::format("async-{} ", now.count()));
  }
  EXPECT_GE(floods_done, 13 * 2);
}

}  // namespace
}  // namespace infra
