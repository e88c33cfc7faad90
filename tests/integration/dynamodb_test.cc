// The stores on DynamoDB keep their contracts on a real peer; what a controller knows by heart stays true; rows of the
// reference platform are read and kept; and a run is counted once, whatever becomes of its answers.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <boost/json.hpp>
#include <memory>
#include <set>

#include "adapters/aws/dynamodb_function_store.h"
#include "adapters/aws/dynamodb_log_store.h"
#include "adapters/aws/dynamodb_probe.h"
#include "adapters/aws/dynamodb_run_recorder.h"
#include "contract/function_store_contract.h"
#include "contract/log_store_contract.h"
#include "contract/run_recorder_contract.h"
#include "integration/aws_world.h"
#include "net/http_server.h"

namespace infra {
namespace {

namespace json = boost::json;
using aws::Repeat;

class OnDynamoDb : public AwsWorld {
 public:
  OnDynamoDb() { loops.spawn(functions_.refresh()); }

  DynamoDbFunctionStore& functions() { return functions_; }
  DynamoDbLogStore& logs() { return logs_; }
  DynamoDbRunRecorder& recorder() { return recorder_; }

  void put_raw(const std::string& table, json::object item) {
    const auto put = run(dynamodb.call_json("DynamoDB_20120810.PutItem",
                                            {{"TableName", table}, {"Item", std::move(item)}}, Repeat::safe));
    ASSERT_TRUE(put) << put.error().message;
  }
  json::object get_raw(const std::string& id) {
    auto got = run(dynamodb.call_json(
        "DynamoDB_20120810.GetItem",
        {{"TableName", functions_table}, {"Key", json::object{{"functionId", aws::text_attribute(id)}}}},
        Repeat::safe));
    return got.value()["Item"].get_object();
  }

  const std::string functions_table = peers.make_functions_table();
  const std::string logs_table = peers.make_logs_table();

 private:
  // What it knows ages in real time: its contract has a bound of two seconds.
  DynamoDbFunctionStore functions_{dynamodb, functions_table, real_clock, {}};
  DynamoDbLogStore logs_{dynamodb, logs_table, clock};
  DynamoDbRunRecorder recorder_{dynamodb, {.functions = functions_table, .logs = logs_table}, random};
};

INSTANTIATE_TYPED_TEST_SUITE_P(DynamoDb, FunctionStoreContract, OnDynamoDb);
INSTANTIATE_TYPED_TEST_SUITE_P(DynamoDb, LogStoreContract, OnDynamoDb);
INSTANTIATE_TYPED_TEST_SUITE_P(DynamoDb, RunRecorderContract, OnDynamoDb);

// A DynamoDB in front of the real one that counts requests, and can lose an answer.
class Middleman {
 public:
  explicit Middleman(AwsWorld& world)
      : real_(world.dynamodb),
        server_(
            world.loops, {}, [this](net::Request& request) { return pass_on(request); },
            [](const Error&) { return net::Response{.status = 500, .headers = {}, .body = {}}; }) {
    EXPECT_TRUE(server_.start());
    client =
        std::make_unique<aws::AwsClient>(world.service("dynamodb", fmt::format("http://127.0.0.1:{}", server_.port())),
                                         world.http, world.credentials, world.real_clock, world.random);
  }
  [[nodiscard]] int requests() const { return requests_; }
  // The next request of this action is carried out, and its answer lost.
  void lose_answer_of(std::string action) {
    const std::scoped_lock lock(mutex_);
    lose_ = std::move(action);
  }

  std::unique_ptr<aws::AwsClient> client;

 private:
  Task<net::Response> pass_on(net::Request& request) {
    ++requests_;
    const std::string target(request.headers.find("x-amz-target").value_or(""));
    const auto body = co_await net::read_all(*request.body, 1 << 20);
    const auto answer = co_await real_.call_json(target, json::parse(*body).as_object(), Repeat::unsafe);
    {
      const std::scoped_lock lock(mutex_);
      if (!lose_.empty() && target.ends_with(lose_)) {
        lose_.clear();
        co_return net::Response{.status = 500, .headers = {}, .body = "{}"};
      }
    }
    if (answer) co_return net::Response{.status = 200, .headers = {}, .body = json::serialize(*answer)};
    co_return net::Response{
        .status = 400,
        .headers = {},
        .body = fmt::format(R"({{"__type":"com.amazonaws.dynamodb.v20120810#{}"}})", answer.error().code)};
  }

  aws::AwsClient& real_;
  std::atomic<int> requests_ = 0;
  std::mutex mutex_;
  std::string lose_;
  net::HttpServer server_;
};

class DynamoDbTest : public ::testing::Test {
 protected:
  ~DynamoDbTest() override { world_.loops.stop(); }
  Function insert(DynamoDbFunctionStore& store, const std::string& id) {
    const auto function = make_function(id, world_.now());
    EXPECT_TRUE(world_.run(store.insert(function)));
    return function;
  }
  static Task<void> note(std::vector<std::string>& list, FunctionId id) {
    list.push_back(std::move(id.value));
    co_return;
  }
  static Task<void> race(DynamoDbRunRecorder& recorder, LogRow row, std::atomic<int>& wins, std::atomic<int>& running) {
    const auto recorded = co_await recorder.record(row);
    EXPECT_TRUE(recorded) << recorded.error().message;
    wins += recorded && *recorded ? 1 : 0;
    if (--running == 0) running.notify_all();
  }
  int memory_of(DynamoDbFunctionStore& store, const std::string& id) {
    const auto found = world_.run(store.find({id}));
    return found ? found->memory_mb : -1;
  }
  void set_memory(DynamoDbFunctionStore& store, const std::string& id, int memory_mb) {
    FunctionChange change;
    change.memory_mb = memory_mb;
    ASSERT_TRUE(world_.run(store.update({id}, change, world_.now())));
  }

  OnDynamoDb world_;
  Middleman between_{world_};
};

TEST_F(DynamoDbTest, AFunctionThatIsKnownCostsNoRead) {
  DynamoDbFunctionStore store(*between_.client, world_.functions_table, world_.clock, {});
  insert(store, "f");
  EXPECT_EQ(memory_of(store, "f"), 256);
  const int before = between_.requests();
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(memory_of(store, "f"), 256);
  EXPECT_EQ(between_.requests(), before);
  ASSERT_FALSE(world_.run(store.find({"nobody"})));
  ASSERT_FALSE(world_.run(store.find({"nobody"})));
  EXPECT_EQ(between_.requests(), before + 2);  // what is not there is not known by heart
}

TEST_F(DynamoDbTest, AChangeElsewhereIsSeenWhenItIsAnnouncedAndSoonIfNot) {
  std::vector<std::string> announced;
  DynamoDbFunctionStore here(world_.dynamodb, world_.functions_table, world_.clock, {});
  DynamoDbFunctionStore there(world_.dynamodb, world_.functions_table, world_.clock,
                              [&](FunctionId id) { return note(announced, std::move(id)); });
  insert(there, "f");
  EXPECT_EQ(memory_of(here, "f"), 256);
  set_memory(there, "f", 512);
  EXPECT_EQ(announced, (std::vector<std::string>{"f", "f"}));
  EXPECT_EQ(memory_of(here, "f"), 256);
  here.changed({"f"});
  EXPECT_EQ(memory_of(here, "f"), 512);

  set_memory(there, "f", 1024);  // and the announcement is lost
  world_.run_void(here.refresh_once());
  EXPECT_EQ(memory_of(here, "f"), 1024);
  ASSERT_TRUE(world_.run(there.remove({"f"})));
  world_.run_void(here.refresh_once());
  EXPECT_EQ(memory_of(here, "f"), -1);
}

TEST_F(DynamoDbTest, OnlyWhatIsUsedIsReadAgainAndAllInOneRequest) {
  DynamoDbFunctionStore store(*between_.client, world_.functions_table, world_.clock, {});
  for (int i = 0; i < 120; ++i) {
    insert(store, fmt::format("f{}", i));
    ASSERT_EQ(memory_of(store, fmt::format("f{}", i)), 256);
  }
  int before = between_.requests();
  world_.run_void(store.refresh_once());
  EXPECT_EQ(between_.requests() - before, 2);
  world_.clock.advance(std::chrono::seconds{61});
  EXPECT_EQ(memory_of(store, "f7"), 256);
  before = between_.requests();
  world_.run_void(store.refresh_once());
  EXPECT_EQ(between_.requests() - before, 1);
}

TEST(FunctionCache, WhatWasReadBeforeAChangeIsNotTaken) {
  aws::FunctionCache cache;
  const SteadyTime now{};
  Function row = make_function("f", {});
  cache.put(row, cache.begin_read(), now);
  EXPECT_TRUE(cache.find({"f"}, now));
  const auto begun = cache.begin_read();
  cache.changed({"f"});
  cache.put(row, begun, now);
  EXPECT_FALSE(cache.find({"f"}, now));
  cache.put(row, cache.begin_read(), now);
  EXPECT_TRUE(cache.find({"f"}, now));
  EXPECT_FALSE(cache.find({"f"}, now + aws::FunctionCache::kUnverified + milliseconds{1}));
}

TEST_F(DynamoDbTest, RowsOfTheReferenceAreListedFoundAndUpdated) {
  world_.put_raw(world_.functions_table, {{"functionId", aws::text_attribute("old")},
                                          {"originalName", aws::text_attribute("legacy.zip")},
                                          {"s3Key", aws::text_attribute("functions/old/v1.zip")},
                                          {"uploadedAt", aws::text_attribute("2024-05-01T10:00:00.000Z")},
                                          {"team", aws::text_attribute("billing")}});
  auto& store = world_.functions();
  const auto found = world_.run(store.find({"old"}));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->name, "legacy.zip");
  EXPECT_EQ(found->runtime, Runtime::python);
  EXPECT_EQ(found->memory_mb, limits::kDefaultMemoryMb);
  EXPECT_EQ(found->code, (CodeRef{"functions/old/v1.zip", ""}));
  EXPECT_EQ(found->version, 1);
  EXPECT_EQ(world_.run(store.list(10, ""))->functions.at(0).id.value, "old");
  set_memory(store, "old", 512);
  EXPECT_EQ(memory_of(store, "old"), 512);
  EXPECT_EQ(world_.run(store.find({"old"}))->version, 2);
  EXPECT_EQ(aws::text_attribute_of(world_.get_raw("old"), "team"), "billing");
  EXPECT_TRUE(
      world_.run(world_.recorder().record(make_log("r", world_.now(), world_.now() + limits::kLogTtl))).has_value());
}

TEST_F(DynamoDbTest, AnEmptyDescriptionIsNone) {
  auto& store = world_.functions();
  insert(store, "f");
  FunctionChange change;
  change.description = "";
  ASSERT_TRUE(world_.run(store.update({"f"}, change, world_.now())));
  EXPECT_EQ(world_.run(store.find({"f"}))->description, "");
}

TEST_F(DynamoDbTest, ATableThatIsNotThereIsNoMissingFunction) {
  DynamoDbFunctionStore store(world_.dynamodb, "no-such-table", world_.clock, {});
  const auto found = world_.run(store.find({"f"}));
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().kind, ErrorKind::unavailable);
  EXPECT_NE(found.error().message.find("no-such-table"), std::string::npos);
  DynamoDbProbe bad("functions", world_.dynamodb, "no-such-table", {"functionId"});
  EXPECT_FALSE(world_.run(bad.probe()));
  DynamoDbProbe good("logs", world_.dynamodb, world_.logs_table, {"functionId", "timestamp"});
  EXPECT_TRUE(world_.run(good.probe()));
}

TEST_F(DynamoDbTest, ARowWhosePutWasAnsweredByNobodyCountsOnce) {
  insert(world_.functions(), "f");
  DynamoDbRunRecorder recorder(*between_.client, {.functions = world_.functions_table, .logs = world_.logs_table},
                               world_.random);
  const LogRow row = make_log("r", world_.now(), world_.now() + limits::kLogTtl);
  between_.lose_answer_of("PutItem");
  EXPECT_TRUE(world_.run(recorder.record(row)).value());
  EXPECT_FALSE(world_.run(recorder.record(row)).value());           // the worker tries again
  EXPECT_FALSE(world_.run(world_.recorder().record(row)).value());  // and another one
  world_.functions().all_changed();
  EXPECT_EQ(world_.run(world_.functions().find({"f"}))->invocations, 1);
}

TEST_F(DynamoDbTest, ACountWhoseAnswerWasLostIsNeverAddedTwice) {
  insert(world_.functions(), "f");
  DynamoDbRunRecorder recorder(*between_.client, {.functions = world_.functions_table, .logs = world_.logs_table},
                               world_.random);
  const LogRow row = make_log("r", world_.now(), world_.now() + limits::kLogTtl);
  between_.lose_answer_of("UpdateItem");
  EXPECT_TRUE(world_.run(recorder.record(row)).value());
  EXPECT_FALSE(world_.run(recorder.record(row)).value());
  world_.functions().all_changed();
  EXPECT_EQ(world_.run(world_.functions().find({"f"}))->invocations, 1);
}

TEST_F(DynamoDbTest, OfManyRecordersOneWinsEachRow) {
  insert(world_.functions(), "f");
  DynamoDbRunRecorder other(world_.dynamodb, {.functions = world_.functions_table, .logs = world_.logs_table},
                            world_.random);
  std::atomic<int> won = 0;
  std::atomic<int> left = 200;
  for (int i = 0; i < 100; ++i) {
    const LogRow row = make_log(fmt::format("r{}", i), world_.now(), world_.now() + limits::kLogTtl);
    world_.spawn(race(world_.recorder(), row, won, left));
    world_.spawn(race(other, row, won, left));
  }
  for (int seen = left; seen > 0; seen = left) left.wait(seen);
  EXPECT_EQ(won, 100);
  world_.functions().all_changed();
  EXPECT_EQ(world_.run(world_.functions().find({"f"}))->invocations, 100);
}

TEST_F(DynamoDbTest, ALogIsFoundByItsRequestsIdAndAReferenceRowToo) {
  const RequestId ours{"019a0000-0000-7000-8000-000000000001"};
  LogRow row = make_log(ours.value, world_.now(), world_.now() + limits::kLogTtl);
  row.timestamp = log_timestamp(ours, {});
  ASSERT_TRUE(world_.run(world_.recorder().record(row)));
  EXPECT_EQ(world_.run(world_.logs().find({"f"}, ours))->message, row.message);
  world_.put_raw(world_.logs_table, {{"functionId", aws::text_attribute("f")},
                                     {"timestamp", aws::text_attribute("2024-05-01T10:00:00.000Z")},
                                     {"requestId", aws::text_attribute("6f1c2f6e-6a55-4a0c-9d2b-0d6d1b1f7a11")},
                                     {"status", aws::text_attribute("SUCCESS")},
                                     {"message", aws::text_attribute("old")}});
  EXPECT_EQ(world_.run(world_.logs().find({"f"}, {"6f1c2f6e-6a55-4a0c-9d2b-0d6d1b1f7a11"}))->message, "old");
}

}  // namespace
}  // namespace infra
