// Two workers' leases on a real Redis, over a queue that the test feeds: for what is asked of leases, and of the
// suspects that wait without one.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "adapters/redis/leased_job_queue.h"
#include "adapters/system/system_random.h"
#include "contract/job_queue_contract.h"
#include "core/operator_error_codes.h"
#include "integration/redis_world.h"

namespace infra::testing {

// Hands out whatever it is given, as often as it is given.
class Copies final : public JobQueue {
 public:
  void add(const std::string& id, std::string receipt, bool fresh = true) {
    waiting.push_back({.job = make_job(id), .receipt = std::move(receipt), .receives = fresh ? 1 : 2, .fresh = fresh});
  }
  Task<Result<void>> enqueue(const Job&) override { co_return Result<void>{}; }
  Task<Result<std::vector<Delivery>>> receive(int max, milliseconds) override {
    ++receives;
    std::vector<Delivery> got;
    for (; !waiting.empty() && std::ssize(got) < max; waiting.pop_front()) got.push_back(waiting.front());
    co_return got;
  }
  Task<Result<void>> extend(const std::string& receipt) override {
    if (dead.contains(receipt)) co_return fail(errors::receipt_dead, "It was visible.");
    extended.insert(receipt);
    co_return Result<void>{};
  }
  Task<Result<void>> acknowledge(const std::string& receipt) override {
    acknowledged.insert(receipt);
    co_return Result<void>{};
  }
  Task<Result<void>> give_back(const std::string& receipt) override {
    given_back.insert(receipt);
    co_return Result<void>{};
  }
  Task<Result<void>> bury(const std::string& receipt, const std::string&) override { return acknowledge(receipt); }
  void wake_receivers() override {}
  Task<Result<QueueDepth>> depth() override { co_return QueueDepth{}; }

  std::deque<Delivery> waiting;
  std::set<std::string> acknowledged, given_back, extended, dead;
  int receives = 0;
};

// Every turn that was asked for, and what is left of the slots.
class Turnstile final : public Turns {
 public:
  std::map<std::string, int> slots, taken;
  void join(const FunctionId&, RunMode) override {}
  void withdraw(const FunctionId&, RunMode, std::size_t) override {}
  std::size_t free_for_all() override { return 0; }
  bool any() override { return false; }
  std::optional<FairLines::Turn> next() override { return std::nullopt; }
  void note_client(const FunctionId&) override {}
  bool claim(const FunctionId& function, RunMode) override {
    if (taken[function.value] >= slots[function.value]) return false;
    ++taken[function.value];
    return true;
  }
  void drop(const FunctionId& function) override { --taken[function.value]; }
};

class LeasedQueueTest : public ::testing::Test {
 protected:
  LeasedQueueTest() {
    RedisWorld::eventually([&] { return world_.redis.connected(); });
    one_.begin_suspects();
    two_.begin_suspects();
  }
  ~LeasedQueueTest() override { world_.loops.stop(); }

  std::vector<Delivery> receive(LeasedJobQueue& queue) {
    return world_.run(queue.receive(10, milliseconds{0})).value_or(std::vector<Delivery>{});
  }
  std::optional<Delivery> receive_suspect(LeasedJobQueue& queue) {
    if (queue.suspects_waiting() == 0) return std::nullopt;
    return world_.run(queue.receive_suspect()).value_or(std::nullopt);
  }
  // Received by a worker that is killed with them.
  void lose(LeasedJobQueue& queue, const std::vector<std::string>& ids) {
    for (const auto& id : ids) copies_.add(id, "lost " + id);
    for (std::size_t got = 0; got < ids.size();) {
      const auto some = receive(queue).size();
      ASSERT_GT(some, 0U);
      got += some;
    }
    world_.advance(limits::kVisibility + milliseconds{1});
  }
  std::string starts_of(const std::string& id) { return world_.ask({"HGET", "infra:lease:" + id, "starts"}); }
  LeasedJobQueue::Postpone postpone() {
    return [this](std::string receipt, milliseconds pause) { return note(put_off_, std::move(receipt), pause); };
  }
  static Task<void> note(std::map<std::string, milliseconds>& put_off, std::string receipt, milliseconds pause) {
    put_off[receipt] = pause;
    co_return;
  }

  RedisWorld world_;
  Copies copies_;
  SystemRandom random_;
  std::map<std::string, milliseconds> put_off_;
  LeasedJobQueue one_{copies_, world_.redis, {"w-1"}, world_.clock, random_, postpone()};
  LeasedJobQueue two_{copies_, world_.redis, {"w-2"}, world_.clock, random_, postpone()};
};

}  // namespace infra::testing
