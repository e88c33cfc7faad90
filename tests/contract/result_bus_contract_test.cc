// The result bus's contract in process and on SQLite, and the way from the queue's row to the stored result.
#include "contract/result_bus_contract.h"

#include "adapters/sqlite/sqlite_job_queue.h"
#include "adapters/sqlite/sqlite_result_bus.h"
#include "contract/embedded_world.h"

namespace infra {
namespace {

class EmbeddedBus : public EmbeddedWorld {
 public:
  static constexpr milliseconds kSlack{0};
  static constexpr bool kKeepsAsyncLonger = false;
  SqliteResultBus& bus() { return bus_; }

 private:
  SqliteResultBus bus_{*database};
};

INSTANTIATE_TYPED_TEST_SUITE_P(Embedded, ResultBusContract, EmbeddedBus);

Task<void> settle_all(SqliteJobQueue& queue, SqliteResultBus& bus, std::atomic<bool>& done) {
  for (auto got = co_await queue.receive(1, milliseconds{0}); got && !got->empty();
       got = co_await queue.receive(1, milliseconds{0})) {
    const Delivery& delivery = got->front();
    EXPECT_TRUE(co_await bus.publish(delivery.job, make_result(delivery.job.request_id.value, "done")));
    EXPECT_TRUE(co_await queue.acknowledge(delivery.receipt));
  }
  done = true;
}

TEST(SqliteResultBus, AnAcceptedJobIsNeverUnknown) {
  EmbeddedBus world;
  const auto queue = std::move(*SqliteJobQueue::open(*world.database));
  constexpr int kJobs = 200;
  const auto id = [](int i) { return "job-" + std::to_string(i); };
  for (int i = 0; i < kJobs; ++i) ASSERT_TRUE(world.run(queue->enqueue(bus_job(id(i), RunMode::async))));
  std::atomic<bool> done = false;
  world.spawn(settle_all(*queue, world.bus(), done));
  for (int i = 0; !done; i = (i + 1) % kJobs) {
    ASSERT_TRUE(world.run(world.bus().find({id(i)}))) << id(i);  // pending or finished, with no gap in between
  }
  for (int i = 0; i < kJobs; ++i) EXPECT_TRUE(world.run(world.bus().find({id(i)}))->finished());
}

TEST(SqliteResultBus, ASyncResultIsFoundWhileItIsOnItsWayToTheDisk) {
  EmbeddedBus world;
  HeldWriter writer(*world.database);
  ASSERT_TRUE(world.run(world.bus().publish(bus_job("r", RunMode::sync), make_result("r", "quick"))));
  const auto found = world.run(world.bus().find({"r"}));
  writer.release();
  ASSERT_TRUE(found);
  ASSERT_TRUE(found->finished());
  EXPECT_EQ(parse_job_result(found->json)->out, "quick");
}

TEST(SqliteResultBus, ResultsSurviveARestartAndExpiredOnesAreSwept) {
  EmbeddedBus world;
  ASSERT_TRUE(world.run(world.bus().publish(bus_job("old", RunMode::async), make_result("old", "1"))));
  world.advance(limits::kResultTtl);
  ASSERT_TRUE(world.run(world.bus().publish(bus_job("new", RunMode::async), make_result("new", "2"))));
  ASSERT_TRUE(world.run(world.bus().sweep(world.now())));

  const testing::TempFolder after;
  world.copy_files_to(after.path());
  const auto database = world.open(after.path());
  const auto rows = database->read_now<std::int64_t>(
      [](sqlite::Connection& connection) { return connection.query_integer("SELECT count(*) FROM results"); });
  EXPECT_EQ(rows.value(), 1);
  SqliteResultBus bus(*database);
  EXPECT_EQ(parse_job_result(world.run(bus.find({"new"}))->json)->out, "2");
}

}  // namespace
}  // namespace infra
