// What a worker is told of functions, when it starts, when one changes, and when the news was missed.
#include "app/watch_functions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/fake_ports.h"
#include "support/run_task.h"

namespace infra::app {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class WatchFunctionsTest : public ::testing::Test {
 protected:
  void put(const std::string& id, int keep_warm, const std::string& sha256 = "sha") {
    Function function;
    function.id = {id};
    function.keep_warm = keep_warm;
    function.code.sha256 = sha256;
    functions_.rows[{id}] = function;
  }
  std::vector<std::string> after(Task<void> task) {
    observer_.told.clear();
    run_task(finished(std::move(task)));
    return observer_.told;
  }
  static Task<bool> finished(Task<void> task) {
    co_await std::move(task);
    co_return true;
  }

  fakes::Journal journal_;
  fakes::FakeFunctions functions_{journal_};
  fakes::FakeObserver observer_{&Function::keep_warm};
  std::atomic<bool> stopping_ = false;
  WatchFunctions watch_{functions_, observer_, stopping_};
};

TEST_F(WatchFunctionsTest, TellsOfThoseThatAreToWait) {
  put("a", 1);
  put("b", 0);
  put("c", 3);
  put("d", 1, "");  // a reference controller's
  put("e", 2);
  EXPECT_THAT(after(watch_.tell_of_all()), ElementsAre("a 1", "c 3", "e 2"));
}

TEST_F(WatchFunctionsTest, TellsOfEveryChange) {
  put("a", 0);
  put("b", 1, "");
  EXPECT_THAT(after(watch_.tell_of({"a"})), ElementsAre("a 0"));
  EXPECT_THAT(after(watch_.tell_of({"b"})), ElementsAre("b is gone"));
  EXPECT_THAT(after(watch_.tell_of({"c"})), ElementsAre("c is gone"));
}

TEST_F(WatchFunctionsTest, WhatWasMissedIsFoundWithTheWholeTable) {
  put("a", 1);
  put("b", 1);
  put("c", 1);
  EXPECT_THAT(after(watch_.tell_of_all()), ElementsAre("a 1", "b 1", "c 1"));
  functions_.rows.erase({"a"});
  put("b", 0);
  put("c", 2);
  EXPECT_THAT(after(watch_.tell_of_all()), ElementsAre("c 2", "a is gone", "b 0"));
  EXPECT_THAT(after(watch_.look_again()), ElementsAre("c 2"));
}

TEST_F(WatchFunctionsTest, ThoseThatWaitAreLookedAtAgain) {
  put("a", 1);
  put("b", 0);
  EXPECT_THAT(after(watch_.tell_of_all()), ElementsAre("a 1"));
  put("a", 1, "");  // changed without an announcement
  EXPECT_THAT(after(watch_.look_again()), ElementsAre("a is gone"));
  EXPECT_THAT(after(watch_.look_again()), IsEmpty());
}

TEST_F(WatchFunctionsTest, ATableThatCouldNotBeReadIsReadLater) {
  put("a", 1);
  journal_.failing = "functions.list";
  EXPECT_THAT(after(watch_.tell_of_all()), IsEmpty());
  EXPECT_THAT(after(watch_.look_again()), IsEmpty());
  journal_.failing.clear();
  EXPECT_THAT(after(watch_.look_again()), ElementsAre("a 1", "a 1"));
  EXPECT_THAT(after(watch_.look_again()), ElementsAre("a 1"));
}

TEST_F(WatchFunctionsTest, ARowThatCouldNotBeReadIsReadLater) {
  ASSERT_THAT(after(watch_.tell_of_all()), IsEmpty());
  put("a", 1);
  journal_.failing = "functions.find";
  EXPECT_THAT(after(watch_.tell_of({"a"})), ElementsAre("a is gone"));
  EXPECT_THAT(after(watch_.look_again()), IsEmpty()) << "which would end what has been started since";
  journal_.failing.clear();
  EXPECT_THAT(after(watch_.look_again()), ElementsAre("a 1"));
}

}  // namespace
}  // namespace infra::app
