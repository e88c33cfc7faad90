// The audit as it is written: before the change and after it, newest first, and no more refusals than a bound.
#include "app/audit.h"

#include <gmock/gmock.h>

#include "support/fake_configuration.h"
#include "support/fake_ports.h"
#include "support/manual_clock.h"
#include "support/run_task.h"
#include "support/spawning_executor.h"

namespace infra::app {
namespace {

using ::testing::SizeIs;

class AuditTest : public ::testing::Test {
 protected:
  AuditEntry begun(const std::string& action, const std::string& request) {
    AuditEntry entry{.key = "master", .action = action, .request = request};
    EXPECT_TRUE(run_task(audit_.begin(entry)));
    clock_.advance(milliseconds{10});
    return entry;
  }
  static Task<bool> ended(Audit& audit, AuditEntry entry) {
    co_await audit.end(std::move(entry));
    co_return true;
  }
  std::vector<AuditEntry> listed(const std::string& after = "", int limit = 100) {
    return run_task(audit_.list(after, limit))->entries;
  }

  fakes::WriteBudget budget_;
  fakes::FakeConfiguration store_{budget_};
  ManualClock clock_;
  fakes::SpawningExecutor executor_;
  Audit audit_{&store_, executor_, clock_};
};

TEST_F(AuditTest, AnEntryIsThereBeforeTheChangeAndSaysAfterItWhatCameOfIt) {
  AuditEntry entry = begun("function.delete", "r1");
  ASSERT_THAT(listed(), SizeIs(1));
  EXPECT_EQ(listed()[0].outcome, "begun");
  entry.before = R"({"name":"a"})";
  entry.target = "f";
  entry.outcome = "done";
  run_task(ended(audit_, entry));
  ASSERT_THAT(listed(), SizeIs(1));
  const auto ended = listed()[0];
  EXPECT_EQ(ended.outcome, "done");
  EXPECT_EQ(ended.before, entry.before);
  EXPECT_EQ(ended.target, "f");
  EXPECT_EQ(ended.at, entry.at);
  EXPECT_EQ(ended.request, "r1");
  const auto expires = store_.items.begin()->second.expires_at;
  ASSERT_TRUE(expires);
  EXPECT_LE(*expires - entry.at, std::chrono::days{90});
  EXPECT_GT(*expires - entry.at, std::chrono::days{89});
}

TEST_F(AuditTest, TheNewestComesFirstAndPagesGoOn) {
  for (const char* id : {"r1", "r2", "r3"}) begun("function.update", id);
  const auto first = run_task(audit_.list("", 2));
  ASSERT_THAT(first->entries, SizeIs(2));
  EXPECT_EQ(first->entries[0].request, "r3");
  EXPECT_EQ(first->entries[1].request, "r2");
  const auto rest = listed(first->next);
  ASSERT_THAT(rest, SizeIs(1));
  EXPECT_EQ(rest[0].request, "r1");
}

TEST_F(AuditTest, AChangeThatCantBeAuditedIsNotMade) {
  budget_.left = 0;
  AuditEntry entry{.key = "master", .action = "key.create", .request = "r"};
  EXPECT_EQ(run_task(audit_.begin(entry)).error().kind, ErrorKind::unavailable);
}

TEST_F(AuditTest, RefusalsAreOneAKeyAddressAndMinute) {
  const auto refuse = [&](const std::string& key, const std::string& address) {
    audit_.refused({.key = key, .action = "refused POST /run", .request = "r", .outcome = "key_not_allowed"}, address);
  };
  for (int i = 0; i < 100; ++i) refuse("k_a", "192.0.2.1");
  EXPECT_THAT(listed(), SizeIs(1));
  refuse("k_a", "192.0.2.2");
  refuse("k_b", "192.0.2.1");
  EXPECT_THAT(listed(), SizeIs(3));
  clock_.advance(std::chrono::minutes{1});
  refuse("k_a", "192.0.2.1");
  EXPECT_THAT(listed(), SizeIs(4));
  EXPECT_EQ(listed()[0].at, clock_.now());
  Audit elsewhere(&store_, executor_, clock_);
  elsewhere.refused({.key = "k_a", .action = "refused GET /keys", .request = "x", .outcome = "key_not_allowed"},
                    "192.0.2.1");
  EXPECT_THAT(listed(), SizeIs(4));
}

TEST_F(AuditTest, WithoutAStoreChangesGoOnAndTheListSaysWhy) {
  Audit none(nullptr, executor_, clock_);
  AuditEntry entry;
  EXPECT_TRUE(run_task(none.begin(entry)));
  run_task(ended(none, entry));
  none.refused(entry, "a");
  EXPECT_EQ(run_task(none.list("", 1)).error().code, "configuration_absent");
}

}  // namespace
}  // namespace infra::app
