// The contracts of log store and run recorder on DynamoDB; and that a run is counted once, whatever becomes of the
// answers.
#include "adapters/aws/dynamodb/dynamodb_log_store.h"
#include "adapters/aws/dynamodb/dynamodb_run_recorder.h"
#include "contract/log_store_contract.h"
#include "contract/run_recorder_contract.h"
#include "integration/dynamodb_world.h"

namespace infra {
namespace {

INSTANTIATE_TYPED_TEST_SUITE_P(DynamoDb, LogStoreContract, DynamoDbWorld);
INSTANTIATE_TYPED_TEST_SUITE_P(DynamoDb, RunRecorderContract, DynamoDbWorld);

class DynamoDbLogsTest : public DynamoDbTest {
 protected:
  LogRow make_row(const std::string& request, milliseconds age = {}) {
    return make_log(request, world_.now() - age, world_.now() + limits::kLogTtl);
  }
  static LogQuery query(int limit, const std::string& cursor = "") {
    return {.function_id = {"f"}, .limit = limit, .start = {}, .cursor = cursor};
  }
  Result<bool> record(RunRecorder& recorder, const LogRow& row) { return world_.run(recorder.record(row)); }

  DynamoDbRunRecorder recorder_{between_.client(), world_.tables(), world_.random};
  DynamoDbLogStore logs_{between_.client(), world_.logs_table, world_.clock};
};

TEST_F(DynamoDbLogsTest, ARowIsReadByTheKeyThatFollowsFromItsRequest) {
  const RequestId id{"019a0000-0000-7000-8000-000000000001"};
  const LogRow row = make_row(id.value);
  ASSERT_TRUE(record(world_.recorder(), row).value());
  EXPECT_EQ(world_.run(logs_.find({"f"}, id))->message, row.message);
  EXPECT_EQ(world_.run(logs_.find({"g"}, id)).error().kind, ErrorKind::not_found);
  EXPECT_EQ(between_.count("GetItem"), 2);
  EXPECT_EQ(between_.count(), 2);
}

TEST_F(DynamoDbLogsTest, ARowOfTheReferenceIsFoundAmongOthers) {
  const RequestId id{"6f1c2f6e-6a55-4a0c-9d2b-0d6d1b1f7a11"};
  world_.put_raw(world_.logs_table, {{"functionId", aws::text_attribute("f")},
                                     {"timestamp", aws::text_attribute("2024-05-01T10:00:00.000Z")},
                                     {"requestId", aws::text_attribute(id.value)},
                                     {"status", aws::text_attribute("SUCCESS")},
                                     {"message", aws::text_attribute("old")}});
  for (int i = 0; i < 5; ++i) {
    LogRow large = make_row(fmt::format("large-{}", i));
    large.message.assign(limits::kMaxLogMessageBytes, 'x');
    ASSERT_TRUE(record(world_.recorder(), large).value());
  }
  const auto found = world_.run(logs_.find({"f"}, id));
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->message, "old");
  EXPECT_EQ(found->status, RunStatus::success);
  EXPECT_FALSE(found->handler_ms);
  EXPECT_GT(between_.count("Query"), 1);  // it lies behind the newest megabyte
}

TEST_F(DynamoDbLogsTest, AListingCutsMessagesAndReadsPastTheFirstMegabyte) {
  for (int i = 0; i < 7; ++i) {
    LogRow row = make_row(fmt::format("r{}", i), milliseconds{i});
    row.message.assign(limits::kMaxLogMessageBytes, 'x');
    ASSERT_TRUE(record(world_.recorder(), row).value());
  }
  const auto page = world_.run(logs_.list(query(6)));
  ASSERT_TRUE(page);
  ASSERT_EQ(page->rows.size(), 6U);
  EXPECT_EQ(page->rows.front().request_id.value, "r0");
  EXPECT_GT(page->rows.front().message.size(), limits::kListedMessageUnits);
  EXPECT_LT(page->rows.front().message.size(), 2000U);
  EXPECT_FALSE(page->next_cursor.empty());
  EXPECT_GT(between_.count("Query"), 1);
}

TEST_F(DynamoDbLogsTest, APageIsFilledBehindRowsThatHaveExpired) {
  for (int i = 0; i < 120; ++i) {
    LogRow row = make_row(fmt::format("gone-{}", i));
    row.expires_at = world_.now();
    ASSERT_TRUE(record(world_.recorder(), row).value());
  }
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(record(world_.recorder(), make_row(fmt::format("r{}", i), milliseconds{5})));
  const auto page = world_.run(logs_.list(query(2)));
  ASSERT_TRUE(page);
  EXPECT_EQ(page->rows.size(), 2U);
  EXPECT_EQ(world_.run(logs_.list(query(2, page->next_cursor)))->rows.size(), 1U);
  EXPECT_EQ(world_.run(logs_.list(query(0)))->rows.size(), 1U);
}

TEST_F(DynamoDbLogsTest, APutWhoseAnswerIsLostIsKnownAgainByTheNextTry) {
  insert(world_.functions(), "f");
  const LogRow row = make_row("r");
  between_.befall("PutItem", {Fault::lose});
  EXPECT_TRUE(record(recorder_, row).value());
  EXPECT_FALSE(record(recorder_, row).value());
  EXPECT_FALSE(record(world_.recorder(), row).value());
  EXPECT_EQ(world_.invocations_of("f"), 1);
}

TEST_F(DynamoDbLogsTest, ARecordThatFailedAfterItsPutIsFinishedByTheNextOne) {
  insert(world_.functions(), "f");
  const LogRow row = make_row("r");
  between_.befall("PutItem", {Fault::lose, Fault::refuse, Fault::refuse});
  EXPECT_EQ(record(recorder_, row).error().kind, ErrorKind::unavailable);
  EXPECT_EQ(world_.invocations_of("f"), 0);
  EXPECT_FALSE(record(world_.recorder(), row).value());  // another worker: the row is not its own
  EXPECT_TRUE(record(recorder_, row).value());
  EXPECT_FALSE(record(recorder_, row).value());
  EXPECT_EQ(world_.invocations_of("f"), 1);
}

TEST_F(DynamoDbLogsTest, ACountThatWasSurelyNotAddedIsAddedByTheNextRecord) {
  insert(world_.functions(), "f");
  const LogRow row = make_row("r");
  between_.befall("UpdateItem", {Fault::refuse, Fault::refuse, Fault::refuse});
  EXPECT_EQ(record(recorder_, row).error().kind, ErrorKind::unavailable);
  EXPECT_EQ(world_.invocations_of("f"), 0);
  EXPECT_TRUE(record(recorder_, row).value());
  EXPECT_EQ(between_.count("PutItem"), 1);
  EXPECT_EQ(world_.invocations_of("f"), 1);
}

TEST_F(DynamoDbLogsTest, ACountWhoseAnswerIsLostIsNeverAddedTwice) {
  insert(world_.functions(), "f");
  const LogRow row = make_row("r");
  between_.befall("UpdateItem", {Fault::lose});
  EXPECT_TRUE(record(recorder_, row).value());
  EXPECT_FALSE(record(recorder_, row).value());
  EXPECT_EQ(between_.count("UpdateItem"), 1);
  EXPECT_EQ(world_.invocations_of("f"), 1);
}

TEST_F(DynamoDbLogsTest, OfTwoRecordersOneWinsEachRow) {
  insert(world_.functions(), "f");
  std::atomic<int> won = 0;
  std::atomic<int> left;
  const auto race = [](RunRecorder& recorder, LogRow row, std::atomic<int>& wins) -> Task<void> {
    const auto recorded = co_await recorder.record(row);
    EXPECT_TRUE(recorded) << recorded.error().message;
    wins += recorded && *recorded ? 1 : 0;
  };
  for (int round = 0; round < 10; ++round) {  // few enough for a peer on a busy machine to answer in time
    spawn_all(40, left, [&](int i) {
      RunRecorder& either = i % 2 == 0 ? static_cast<RunRecorder&>(recorder_) : world_.recorder();
      return race(either, make_row(fmt::format("r{}-{}", round, i / 2)), won);
    });
    await_all(left);
  }
  EXPECT_EQ(won, 200);
  EXPECT_EQ(world_.invocations_of("f"), 200);
}

}  // namespace
}  // namespace infra
