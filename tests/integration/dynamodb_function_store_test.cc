// The function store's contract on DynamoDB; what a controller knows by heart stays true, whatever is announced, lost
// or late; and rows of the reference platform are read and kept.
#include "adapters/aws/dynamodb/dynamodb_function_store.h"

#include "adapters/aws/dynamodb/dynamodb_probe.h"
#include "contract/function_store_contract.h"
#include "integration/dynamodb_world.h"

namespace infra {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

INSTANTIATE_TYPED_TEST_SUITE_P(DynamoDb, FunctionStoreContract, DynamoDbWorld);

FunctionChange to_memory(int memory_mb) {
  FunctionChange change;
  change.set(&FunctionSettings::memory_mb, memory_mb);
  return change;
}

class DynamoDbFunctionStoreTest : public DynamoDbTest {
 protected:
  int memory_of(FunctionStore& store, const std::string& id) {
    const auto found = world_.run(store.find({id}));
    return found ? found->memory_mb : -1;
  }
  // By another controller, which can tell nobody.
  void change(const std::string& id, int memory_mb) {
    const auto changed = world_.run(elsewhere_.update({id}, to_memory(memory_mb), world_.now()));
    ASSERT_TRUE(changed) << changed.error().message;
  }
  // Until the background has made its so manyth round.
  void pass_a_second(int rounds) {
    world_.clock.advance(seconds{1});
    between_.await("BatchGetItem", rounds);
    world_.await_sleepers(1);
  }
  std::vector<std::string> list(int limit, const std::string& cursor = "") {
    const auto page = world_.run(here_.list(limit, cursor));
    std::vector<std::string> ids;
    if (page) {
      for (const auto& row : page->functions) ids.push_back(row.id.value);
    }
    return ids;
  }

  DynamoDbFunctionStore here_{between_.client(), world_.functions_table, world_.clock, {}};
  DynamoDbFunctionStore elsewhere_{world_.dynamodb, world_.functions_table, world_.clock, {}};
};

TEST_F(DynamoDbFunctionStoreTest, AFunctionThatIsKnownCostsNoRead) {
  insert(elsewhere_, "f");
  EXPECT_EQ(memory_of(here_, "f"), 256);
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(memory_of(here_, "f"), 256);
  EXPECT_EQ(between_.count(), 1);
  EXPECT_EQ(memory_of(here_, "nobody"), -1);
  EXPECT_EQ(memory_of(here_, "nobody"), -1);
  EXPECT_EQ(between_.count(), 3);  // what is not there is not known by heart
}

TEST_F(DynamoDbFunctionStoreTest, AnAnnouncedChangeIsSeenAtOnce) {
  insert(elsewhere_, "f");
  EXPECT_EQ(memory_of(here_, "f"), 256);
  change("f", 512);
  EXPECT_EQ(memory_of(here_, "f"), 256);
  here_.changed({"f"});
  EXPECT_EQ(memory_of(here_, "f"), 512);
  change("f", 1024);
  here_.all_changed();
  EXPECT_EQ(memory_of(here_, "f"), 1024);
  ASSERT_TRUE(world_.run(elsewhere_.remove({"f"})));
  here_.changed({"f"});
  EXPECT_EQ(memory_of(here_, "f"), -1);
}

TEST_F(DynamoDbFunctionStoreTest, AChangeThatNobodyAnnouncedIsSeenWithinTwoSeconds) {
  insert(elsewhere_, "f");
  EXPECT_EQ(memory_of(here_, "f"), 256);
  change("f", 512);
  world_.clock.advance(milliseconds{1999});
  EXPECT_EQ(memory_of(here_, "f"), 256);
  world_.clock.advance(milliseconds{1});
  EXPECT_EQ(memory_of(here_, "f"), 512);

  world_.clock.advance(minutes{3});  // nobody has asked for it meanwhile, so nobody has read it either
  change("f", 1024);
  EXPECT_EQ(memory_of(here_, "f"), 1024);
}

TEST_F(DynamoDbFunctionStoreTest, WhoAsksForTheCurrentRowIsNotAnsweredFromMemory) {
  insert(elsewhere_, "f");
  EXPECT_EQ(memory_of(here_, "f"), 256);
  change("f", 512);
  EXPECT_EQ(world_.run(here_.find_current({"f"}))->memory_mb, 512);
  EXPECT_EQ(memory_of(here_, "f"), 512) << "and everybody knows it then";
  ASSERT_TRUE(world_.run(elsewhere_.remove({"f"})));
  EXPECT_EQ(world_.run(here_.find_current({"f"})).error().kind, ErrorKind::not_found);
  EXPECT_EQ(memory_of(here_, "f"), -1);
}

TEST_F(DynamoDbFunctionStoreTest, WhatIsUsedIsReadAgainInTheBackground) {
  insert(elsewhere_, "f");
  insert(elsewhere_, "g");
  EXPECT_EQ(memory_of(here_, "f"), 256);
  EXPECT_EQ(memory_of(here_, "g"), 256);
  world_.spawn(here_.refresh());
  world_.await_sleepers(1);
  for (int second = 1; second <= 5; ++second) {
    change("f", 256 + second);
    pass_a_second(second);
    EXPECT_EQ(memory_of(here_, "f"), 256 + second);
  }
  ASSERT_TRUE(world_.run(elsewhere_.remove({"f"})));
  pass_a_second(6);
  EXPECT_EQ(between_.count("GetItem"), 2);  // the first two
  EXPECT_EQ(memory_of(here_, "f"), -1);
  EXPECT_EQ(between_.count("GetItem"), 3);
}

TEST_F(DynamoDbFunctionStoreTest, OnlyWhatIsUsedIsReadAgainAHundredRowsARequest) {
  for (int i = 0; i < 120; ++i) {
    const auto id = fmt::format("f{}", i);
    insert(elsewhere_, id);
    ASSERT_EQ(memory_of(here_, id), 256);
  }
  world_.run_void(here_.refresh_once());
  EXPECT_EQ(between_.count("BatchGetItem"), 2);
  world_.clock.advance(seconds{61});
  EXPECT_EQ(memory_of(here_, "f7"), 256);
  world_.run_void(here_.refresh_once());
  EXPECT_EQ(between_.count("BatchGetItem"), 3);
  world_.clock.advance(seconds{61});
  world_.run_void(here_.refresh_once());
  EXPECT_EQ(between_.count("BatchGetItem"), 3);
}

TEST_F(DynamoDbFunctionStoreTest, AReadThatBeganBeforeAChangeIsNotTaken) {
  insert(elsewhere_, "f");
  between_.befall("GetItem", {Fault::hold});
  std::atomic<int> left;
  int seen = 0;
  const auto look = [](FunctionStore& store, int& memory) -> Task<void> {
    const auto row = co_await store.find({"f"});
    memory = row ? row->memory_mb : -1;
  };
  spawn_all(1, left, [&](int) { return look(here_, seen); });
  between_.await_held();
  change("f", 512);
  here_.changed({"f"});
  between_.release();
  await_all(left);
  EXPECT_EQ(seen, 512);
  EXPECT_EQ(memory_of(here_, "f"), 512);
  EXPECT_EQ(between_.count("GetItem"), 2);
}

TEST_F(DynamoDbFunctionStoreTest, ARefreshThatBeganBeforeAChangeIsNotTaken) {
  insert(elsewhere_, "f");
  EXPECT_EQ(memory_of(here_, "f"), 256);
  between_.befall("BatchGetItem", {Fault::hold});
  std::atomic<int> left;
  spawn_all(1, left, [&](int) { return here_.refresh_once(); });
  between_.await_held();
  change("f", 512);
  here_.changed({"f"});
  EXPECT_EQ(memory_of(here_, "f"), 512);
  between_.release();
  await_all(left);
  EXPECT_EQ(memory_of(here_, "f"), 512);
}

TEST_F(DynamoDbFunctionStoreTest, ManyFirstRunsShareOneRead) {
  insert(elsewhere_, "f");
  between_.befall("GetItem", {Fault::hold});
  std::atomic<int> left;
  std::atomic<int> found = 0;
  const auto look = [](FunctionStore& store, std::atomic<int>& good) -> Task<void> {
    good += co_await store.find({"f"}) ? 1 : 0;
  };
  spawn_all(20, left, [&](int) { return look(here_, found); });
  between_.await_held();
  settle();
  between_.release();
  await_all(left);
  EXPECT_EQ(found, 20);
  EXPECT_EQ(between_.count("GetItem"), 1);
}

TEST_F(DynamoDbFunctionStoreTest, WhatIsKnownOutlastsAnOutageForTenMinutes) {
  for (const char* id : {"f", "g", "h"}) {
    insert(elsewhere_, id);
    EXPECT_EQ(memory_of(here_, id), 256);
  }
  between_.set_away(true);
  here_.changed({"g"});
  EXPECT_EQ(world_.run(here_.find({"g"})).error().kind, ErrorKind::unavailable);  // what is known of it is wrong
  EXPECT_EQ(world_.run(here_.find({"i"})).error().kind, ErrorKind::unavailable);
  here_.all_changed();
  EXPECT_EQ(memory_of(here_, "f"), 256);
  world_.clock.advance(minutes{9});
  EXPECT_EQ(memory_of(here_, "f"), 256);
  world_.run_void(here_.refresh_once());
  const int asked = between_.count();
  EXPECT_EQ(memory_of(here_, "f"), 256);
  EXPECT_EQ(memory_of(here_, "h"), 256);
  EXPECT_EQ(between_.count(), asked);  // an outage that is known of is not waited for
  world_.clock.advance(minutes{1} + milliseconds{1});
  EXPECT_EQ(world_.run(here_.find({"f"})).error().kind, ErrorKind::unavailable);

  between_.set_away(false);
  change("f", 512);
  while (memory_of(here_, "f") == -1) world_.run_void(here_.refresh_once());  // until the circuit closes
  EXPECT_EQ(memory_of(here_, "f"), 512);
}

TEST_F(DynamoDbFunctionStoreTest, AWriteWhoseAnswerWasLostIsNotRepeatedAndItsOutcomeIsRead) {
  insert(elsewhere_, "f");
  EXPECT_EQ(memory_of(here_, "f"), 256);
  between_.befall("UpdateItem", {Fault::lose});
  EXPECT_EQ(world_.run(here_.update({"f"}, to_memory(512), world_.now())).error().kind, ErrorKind::unavailable);
  const auto row = world_.run(here_.find({"f"}));
  ASSERT_TRUE(row);
  EXPECT_EQ(row->memory_mb, 512);
  EXPECT_EQ(row->version, 2);
  between_.befall("DeleteItem", {Fault::lose});
  EXPECT_EQ(world_.run(here_.remove({"f"})).error().kind, ErrorKind::unavailable);
  EXPECT_EQ(world_.run(here_.find({"f"})).error().kind, ErrorKind::not_found);
}

TEST_F(DynamoDbFunctionStoreTest, EveryWriteIsAnnounced) {
  std::vector<std::string> announced;
  const auto note = [](std::vector<std::string>& ids, FunctionId id) -> Task<void> {
    ids.push_back(id.value);
    co_return;
  };
  DynamoDbFunctionStore store(world_.dynamodb, world_.functions_table, world_.clock,
                              [&](FunctionId id) { return note(announced, std::move(id)); });
  insert(store, "f");
  ASSERT_TRUE(world_.run(store.update({"f"}, to_memory(512), world_.now())));
  ASSERT_TRUE(world_.run(store.remove({"f"})));
  EXPECT_EQ(announced, (std::vector<std::string>{"f", "f", "f"}));
}

TEST_F(DynamoDbFunctionStoreTest, PagesShareOneScanForASecondAndAWriteEndsIt) {
  insert(elsewhere_, "a");
  world_.clock.advance(milliseconds{1});
  insert(elsewhere_, "b");
  const auto first = world_.run(here_.list(1, ""));
  ASSERT_TRUE(first);
  EXPECT_EQ(list(1, first->next_cursor), (std::vector<std::string>{"b"}));
  EXPECT_EQ(list(0), (std::vector<std::string>{"a"}));
  EXPECT_EQ(between_.count("Scan"), 1);
  insert(here_, "c");
  EXPECT_EQ(list(10).size(), 3U);
  EXPECT_EQ(between_.count("Scan"), 2);
  insert(elsewhere_, "d");
  EXPECT_EQ(list(10).size(), 3U);
  here_.changed({"d"});
  EXPECT_EQ(list(10).size(), 4U);
  EXPECT_EQ(between_.count("Scan"), 3);
  world_.clock.advance(seconds{1});
  EXPECT_EQ(list(10).size(), 4U);
  EXPECT_EQ(between_.count("Scan"), 4);
}

TEST_F(DynamoDbFunctionStoreTest, AScanThatMissesAWriteIsMadeAgain) {
  insert(elsewhere_, "a");
  between_.befall("Scan", {Fault::hold});
  std::atomic<int> left;
  std::atomic<std::size_t> most = 0;
  const auto look = [](FunctionStore& store, std::atomic<std::size_t>& seen) -> Task<void> {
    const auto page = co_await store.list(10, "");
    seen = page ? page->functions.size() : 0;
  };
  spawn_all(2, left, [&](int) { return look(here_, most); });
  between_.await_held();
  settle();
  insert(here_, "b");
  between_.release();
  await_all(left);
  EXPECT_EQ(most, 2U);
  EXPECT_EQ(between_.count("Scan"), 2);
}

TEST_F(DynamoDbFunctionStoreTest, AListingReadsPastTheFirstMegabyte) {
  constexpr int kRows = 40;
  for (int i = 0; i < kRows; ++i) {
    Function row = make_function(fmt::format("f{:02}", i), world_.now() + milliseconds{i});
    row.env = {{"BIG", std::string(30'000, 'x')}};
    ASSERT_TRUE(world_.run(elsewhere_.insert(row)));
  }
  const auto ids = list(1000);
  ASSERT_EQ(ids.size(), static_cast<std::size_t>(kRows));
  EXPECT_EQ(ids.front(), "f00");
  EXPECT_EQ(ids.back(), "f39");
  EXPECT_GT(between_.count("Scan"), 1);
}

TEST_F(DynamoDbFunctionStoreTest, RowsOfTheReferenceAreListedFoundAndUpdated) {
  world_.put_raw(world_.functions_table, {{"functionId", aws::text_attribute("old")},
                                          {"originalName", aws::text_attribute("legacy.zip")},
                                          {"s3Key", aws::text_attribute("functions/old/v1.zip")},
                                          {"runtime", aws::text_attribute("cobol")},
                                          {"uploadedAt", aws::text_attribute("2024-05-01T10:00:00.000Z")},
                                          {"envVars", aws::text_attribute(R"({"DEBUG":true,"RETRIES":3})")},
                                          {"team", aws::text_attribute("billing")}});
  world_.put_raw(world_.functions_table, {{"functionId", aws::text_attribute("bare")}});
  EXPECT_EQ(list(10), (std::vector<std::string>{"bare", "old"}));
  const auto found = world_.run(here_.find({"old"}));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->name, "legacy.zip");
  EXPECT_EQ(found->runtime, Runtime::python);
  EXPECT_EQ(found->memory_mb, limits::kDefaultMemoryMb);
  EXPECT_EQ(found->timeout, limits::kDefaultTimeout);
  EXPECT_EQ(found->env, (Environment{{"DEBUG", "True"}, {"RETRIES", "3"}}));
  EXPECT_EQ(found->code, (CodeRef{"functions/old/v1.zip", ""}));
  EXPECT_EQ(found->version, 1);
  EXPECT_EQ(found->updated_at, found->uploaded_at);
  const auto bare = world_.run(here_.find({"bare"}));
  EXPECT_EQ(bare->name, "Unknown");
  EXPECT_EQ(bare->runtime, Runtime::python);
  EXPECT_EQ(bare->code, CodeRef{});

  FunctionChange change = to_memory(512);
  change.set(&FunctionSettings::description, "");
  ASSERT_TRUE(world_.run(here_.update({"old"}, change, world_.now())));
  const auto updated = world_.run(here_.find({"old"}));
  EXPECT_EQ(updated->memory_mb, 512);
  EXPECT_EQ(updated->version, 2);
  EXPECT_EQ(updated->updated_at, world_.now());
  EXPECT_EQ(aws::text_attribute_of(world_.raw_function("old"), "team"), "billing");
}

TEST_F(DynamoDbFunctionStoreTest, AnUpdateLeavesCountersAlone) {
  insert(here_, "f");
  const LogRow row = make_log("r", world_.now(), world_.now() + limits::kLogTtl);
  ASSERT_TRUE(world_.run(world_.recorder().record(row)));
  ASSERT_TRUE(world_.run(here_.update({"f"}, to_memory(512), world_.now())));
  const auto after = world_.run(here_.find({"f"}));
  EXPECT_EQ(after->invocations, 1);
  EXPECT_DOUBLE_EQ(after->total_duration_ms, row.duration_ms);
}

TEST_F(DynamoDbFunctionStoreTest, ATableThatIsNotThereIsNoMissingFunction) {
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

}  // namespace
}  // namespace infra
