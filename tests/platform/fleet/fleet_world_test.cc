// A whole fleet in one process: what several controllers and workers do together while machines and engines fail.
#include "platform/fleet/fleet_world.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <map>
#include <optional>
#include <string>

#include "telemetry/log.h"

namespace infra::sim {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

class FleetWorldTest : public ::testing::Test {
 protected:
  FleetWorldTest() {
    log::set_level(log::Level{4});  // above all of them
    world_.add_function("echo", [](const FunctionCall& call) { return FunctionPlan{.text = call.input}; });
  }

  // A function that takes its time and is counted, by where it runs.
  std::string upload_counted(milliseconds takes, std::vector<std::pair<std::string, std::string>> settings = {}) {
    for (std::size_t i = 0; i < world_.workers(); ++i) {
      world_.functions_of_worker(i).add("counted", [this, takes, i](const FunctionCall& call) {
        if (call.loads) return FunctionPlan{};
        ++starts_;
        ++starts_on_[i];
        most_at_once_ = std::max(most_at_once_, ++running_);
        return FunctionPlan{.takes = takes, .text = call.input};
      });
      world_.functions_of_worker(i).watch_ends([this](const FunctionCall&) { --running_; });
    }
    return world_.upload("counted", std::move(settings));
  }
  std::string accept(const std::string& function, const std::string& input = "{}") {
    const Answer accepted = world_.run(world_.client().run(function, input, true));
    EXPECT_EQ(accepted.status, 202) << accepted.body;
    return accepted.text("jobId");
  }
  std::string status_of(const std::string& job, std::size_t controller = 1) {
    return world_.run(world_.client(controller).get("/status/" + job)).text("status");
  }
  // The worker that runs something; it must be one.
  FleetMachine& busy_worker() {
    for (std::size_t i = 0; i < world_.workers(); ++i) {
      if (starts_on_[i] > 0) return world_.worker(i);
    }
    throw std::logic_error("no worker runs anything");
  }
  void expect_settled_once(const std::string& function, const std::string& job, const std::string& status) {
    EXPECT_EQ(status_of(job, 0), status);
    EXPECT_EQ(status_of(job, 1), status);
    const Answer rows = world_.run(world_.client().get("/functions/" + function + "/logs"));
    const auto list = boost::json::parse(rows.body).as_array();
    ASSERT_EQ(list.size(), 1U) << rows.body;
    EXPECT_EQ(list[0].at("requestId").as_string(), job);
    EXPECT_EQ(world_.run(world_.client().get("/functions/" + function)).json().at("invocations").to_number<int>(), 1);
    EXPECT_TRUE(world_.cloud().queue().messages().empty());
    EXPECT_TRUE(world_.cloud().dead_letters().messages().empty());
  }
  // A client's call that goes on while the test does something else.
  void begin(Task<Answer> call, std::optional<Answer>& answer) {
    world_.world().executor().spawn("client", [](Task<Answer> own, std::optional<Answer>& into) -> Task<void> {
      into = co_await std::move(own);
    }(std::move(call), answer));
  }
  void pass(WorldTime time) { world_.world().pass(time); }

  int starts_ = 0, running_ = 0, most_at_once_ = 0;
  std::map<std::size_t, int> starts_on_;
  FleetWorld world_{1};
};

TEST_F(FleetWorldTest, AFunctionIsUploadedAndRun) {
  world_.boot_and_wait();
  const std::string id = world_.upload("echo");
  ASSERT_NE(id, "");
  const Answer answer = world_.run(world_.client(1).run(id, R"({"n":1})"));
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(boost::json::serialize(answer.json().at("result")), R"({"n":1})") << answer.body;
  const std::string job = accept(id, "[7]");
  pass(seconds(5));
  EXPECT_EQ(status_of(job), "SUCCESS");
  world_.stop_and_wait();
  for (const auto& machine : world_.machines()) {
    EXPECT_EQ(machine->gave_up(), "") << machine->name();
    EXPECT_EQ(machine->sandboxes(), 0) << machine->name();
  }
}

TEST_F(FleetWorldTest, AJobWhoseWorkerIsLostRunsElsewhereAndSettlesOnce) {
  world_.boot_and_wait();
  const std::string id = upload_counted(seconds(5));
  const std::string job = accept(id);
  pass(seconds(2));
  ASSERT_EQ(starts_, 1);
  busy_worker().crash();
  pass(seconds(60));
  EXPECT_EQ(starts_, 2);
  EXPECT_EQ(starts_on_.size(), 2U);
  expect_settled_once(id, job, "SUCCESS");
}

TEST_F(FleetWorldTest, AJobThatTakesThreeWorkersDownIsGivenUp) {
  world_.boot_and_wait();
  const std::string id = upload_counted(seconds(5));
  const std::string job = accept(id);
  for (int lost = 0; lost < 3; ++lost) {
    world_.world().run_until([&] { return starts_ > lost; }, minutes(2));
    for (std::size_t i = 0; i < world_.workers(); ++i) {
      if (world_.worker(i).sandboxes() == 0) continue;
      world_.worker(i).crash();
      world_.worker(i).boot_and_wait();
    }
  }
  pass(minutes(2));
  EXPECT_EQ(starts_, 3);
  const Answer result = world_.run(world_.client().get("/status/" + job));
  EXPECT_EQ(result.text("status"), "ERROR") << result.body;
  EXPECT_THAT(result.body, ::testing::HasSubstr("worker_lost"));
}

TEST_F(FleetWorldTest, AClientWhoseControllerIsLostFindsItsJobSettled) {
  world_.boot_and_wait();
  const std::string id = upload_counted(seconds(5));
  std::optional<Answer> waiting;
  begin(world_.client(0).run(id, "{}"), waiting);
  const std::string job = accept(id);
  pass(seconds(2));
  world_.controller(0).crash();
  pass(seconds(10));
  ASSERT_TRUE(waiting);
  EXPECT_EQ(waiting->status, 0);
  EXPECT_EQ(starts_, 2);
  EXPECT_EQ(status_of(job), "SUCCESS");
  const Answer row = world_.run(world_.client(1).get("/functions/" + id));
  EXPECT_EQ(row.json().at("invocations").to_number<int>(), 2);
}

TEST_F(FleetWorldTest, AResultOutlivesARedisThatIsEmptied) {
  world_.boot_and_wait();
  const std::string id = upload_counted(seconds(5));
  const std::string before = accept(id);
  pass(seconds(10));
  EXPECT_EQ(status_of(before), "SUCCESS");
  std::optional<Answer> waiting;
  begin(world_.client(1).run(id, "{}"), waiting);
  pass(seconds(2));
  world_.cloud().redis().restart();
  pass(seconds(10));
  ASSERT_TRUE(waiting);
  EXPECT_EQ(waiting->status, 200) << waiting->body;
  EXPECT_EQ(status_of(before), "SUCCESS");
  EXPECT_EQ(starts_, 2);
}

TEST_F(FleetWorldTest, AResultOutlivesAFailover) {
  world_.boot_and_wait();
  const std::string id = upload_counted(seconds(5));
  const std::string job = accept(id);
  pass(milliseconds(4500));
  world_.cloud().redis().fail_over(milliseconds(0), seconds(3));
  pass(seconds(20));
  EXPECT_EQ(starts_, 1);
  expect_settled_once(id, job, "SUCCESS");
}

TEST_F(FleetWorldTest, AMessageThatComesTwiceIsOneRun) {
  world_.cloud().aws().faults().sqs.copied = 1;
  world_.boot_and_wait();
  const std::string id = upload_counted(seconds(5));
  const std::string job = accept(id);
  pass(minutes(2));
  EXPECT_EQ(starts_, 1);
  expect_settled_once(id, job, "SUCCESS");
}

TEST_F(FleetWorldTest, AMessageThatIsHandedToTwoIsOneRun) {
  world_.cloud().aws().faults().sqs.twice_at_once = 1;
  world_.boot_and_wait();
  const std::string id = upload_counted(seconds(5));
  const std::string job = accept(id);
  pass(minutes(2));
  EXPECT_EQ(starts_, 1);
  expect_settled_once(id, job, "SUCCESS");
}

TEST_F(FleetWorldTest, AWorkerThatIsCutOffLosesItsJobToAnother) {
  world_.boot_and_wait();
  const std::string id = upload_counted(seconds(90));
  const std::string job = accept(id);
  pass(seconds(2));
  ASSERT_EQ(starts_, 1);
  FleetMachine& first = busy_worker();
  first.cut_off(true);
  pass(seconds(60));
  EXPECT_EQ(starts_, 2);
  first.cut_off(false);
  pass(seconds(15));  // a renewal finds the lease with another worker, and stops the first run
  EXPECT_EQ(running_, 1);
  pass(minutes(2));
  EXPECT_EQ(starts_, 2);
  expect_settled_once(id, job, "SUCCESS");
}

TEST_F(FleetWorldTest, AControllerThatIsCutOffRefusesRuns) {
  world_.boot_and_wait();
  const std::string id = world_.upload("echo");
  world_.controller(0).cut_off(true);
  pass(seconds(5));
  EXPECT_EQ(world_.run(world_.client(0).run(id, "1")).status, 503);
  EXPECT_EQ(world_.run(world_.client(0).get("/health")).status, 503);
  EXPECT_EQ(world_.run(world_.client(1).run(id, "1")).status, 200);
  world_.controller(0).cut_off(false);
  pass(seconds(5));
  EXPECT_EQ(world_.run(world_.client(0).run(id, "1")).status, 200);
}

TEST_F(FleetWorldTest, MaxConcurrencyHoldsOverAllWorkersAndControllers) {
  world_.boot_and_wait();
  const std::string id = upload_counted(seconds(3), {{"maxConcurrency", "2"}});
  std::vector<std::optional<Answer>> answers(8);
  for (std::size_t i = 0; i < answers.size(); ++i) begin(world_.client(i % 2).run(id, "{}"), answers[i]);
  pass(minutes(2));
  for (const auto& answer : answers) EXPECT_EQ(answer ? answer->status : 0, 200);
  EXPECT_EQ(starts_, 8);
  EXPECT_EQ(most_at_once_, 2);
}

// It is announced, and an announcement takes a moment.
TEST_F(FleetWorldTest, AnUpdateAtOneControllerIsSeenAtTheOtherInAMoment) {
  world_.boot_and_wait();
  world_.add_function("new", [](const FunctionCall&) { return FunctionPlan{.text = "\"new\""}; });
  const std::string id = world_.upload("echo");
  EXPECT_EQ(world_.run(world_.client(1).run(id, "1")).text("status"), "SUCCESS");
  EXPECT_EQ(world_.run(world_.client(0).update(id, {.name = "new", .code = "new"})).status, 200);
  pass(milliseconds(10));
  EXPECT_EQ(world_.run(world_.client(1).run(id, "1")).text("result"), "new");
}

// A request whose answer came too late is carried out later still, after the controller has looked for its row.
TEST_F(FleetWorldTest, TheCodeOfAWriteThatComesLateStays) {
  int late = 0, never = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    FleetWorld world(seed, {.controllers = 1, .workers = 0});
    auto& aws = world.cloud().aws();
    const auto key = [&] {
      const auto rows = aws.dynamodb().items(std::string(kFunctionsTable));
      return std::string(rows.front().at("s3Key").at("S").as_string());
    };
    world.boot_and_wait();
    const std::string id = world.upload("echo");
    const std::string old = key();
    aws.faults().dynamodb.slow = 0.5;
    const int status = world.run(world.client().update(id, {.name = "new", .code = "new"})).status;
    aws.faults().dynamodb.slow = 0;
    world.world().pass(seconds(30));
    late += status == 503 && key() != old ? 1 : 0;
    EXPECT_EQ(aws.s3().objects(std::string(kBucket)).at(key()).tag, "") << "seed " << seed;
    if (status != 503 || key() != old || never++ > 0) continue;
    world.world().pass(minutes(17));  // no write of then can come any more
    for (const auto& [name, object] : aws.s3().objects(std::string(kBucket)))
      EXPECT_EQ(object.tag.empty(), name == old) << name;
  }
  EXPECT_GT(late, 0);
  EXPECT_GT(never, 0);
}

TEST_F(FleetWorldTest, AStoppedWorkerGivesBackWhatItCanNotFinish) {
  FleetWorld world(2, {.machine = {.variables = {{"SHUTDOWN_TIMEOUT_SECONDS", "2"}}}});
  int starts = 0;
  world.add_function("slow", [&](const FunctionCall& call) {
    if (!call.loads) ++starts;
    return FunctionPlan{.takes = seconds(20)};
  });
  world.boot_and_wait();
  const std::string id = world.upload("slow");
  const Answer accepted = world.run(world.client().run(id, "{}", true));
  world.world().pass(seconds(3));
  ASSERT_EQ(starts, 1);
  std::size_t busy = 0;
  while (world.worker(busy).sandboxes() == 0) ++busy;
  world.worker(busy).stop_and_wait();
  world.world().pass(seconds(5));
  EXPECT_EQ(starts, 2) << "at once, not when a lease has run out";
  world.world().pass(seconds(30));
  EXPECT_EQ(world.run(world.client().get("/status/" + accepted.text("jobId"))).text("status"), "SUCCESS");
}

TEST_F(FleetWorldTest, TheSameSeedGoesTheSameWay) {
  const auto course = [](std::uint64_t seed) {
    FleetWorld world(seed, {.redis = {.least_latency = std::chrono::microseconds(100),
                                      .most_latency = std::chrono::microseconds(3000)}});
    world.cloud().aws().faults().sqs.copied = 0.5;
    world.add_function("echo", [](const FunctionCall& call) { return FunctionPlan{.text = call.input}; });
    world.boot_and_wait();
    const std::string id = world.upload("echo");
    for (int i = 0; i < 5; ++i) (void)world.run(world.client().run(id, std::to_string(i), i % 2 == 0));
    world.world().pass(seconds(10));
    world.worker().crash();
    world.cloud().redis().restart();
    world.worker().boot_and_wait();
    world.stop_and_wait();
    return id + " " + std::to_string(world.world().scheduler().fingerprint());
  };
  EXPECT_EQ(course(1), course(1));
  EXPECT_NE(course(1), course(2));
}

TEST_F(FleetWorldTest, TenMinutesOfIdlenessCostLessThanTwoSeconds) {
  world_.boot_and_wait();
  const std::string id = world_.upload("echo", {{"keepWarm", "1"}});
  const std::clock_t begun = std::clock();
  pass(minutes(10));
  EXPECT_LT(std::clock() - begun, 2 * CLOCKS_PER_SEC);
  EXPECT_EQ(world_.run(world_.client().run(id, "1")).status, 200);
}

}  // namespace
}  // namespace infra::sim
