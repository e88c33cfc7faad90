// What counts as left behind, by runtime.
#include "worker/instances/leftovers.h"

#include <gtest/gtest.h>

namespace infra::worker {
namespace {

constexpr sandbox::SandboxState kRest{.processes = 0, .threads = 11, .sockets = 1, .disk_percent = 0};

TEST(Leftovers, AProcessOfAnyRuntime) {
  sandbox::SandboxState now = kRest;
  now.processes = 1;
  for (const auto runtime : {Runtime::python, Runtime::nodejs, Runtime::cpp, Runtime::go})
    EXPECT_EQ(compare(kRest, now, runtime, 0), Leftover::processes);
}

TEST(Leftovers, AThreadWhereTheirNumberIsTheFunctionsDoing) {
  sandbox::SandboxState now = kRest;
  now.threads = 12;
  for (const auto runtime : {Runtime::nodejs, Runtime::cpp})
    EXPECT_EQ(compare(kRest, now, runtime, 0), Leftover::threads);
  for (const auto runtime : {Runtime::python, Runtime::go})
    EXPECT_EQ(compare(kRest, now, runtime, 0), Leftover::nothing);
  now.threads = 3;  // fewer are nobody's harm
  EXPECT_EQ(compare(kRest, now, Runtime::nodejs, 0), Leftover::nothing);
}

TEST(Leftovers, AConnectionThatIsNotTheAiEndpoints) {
  sandbox::SandboxState now = kRest;
  now.sockets = 3;
  EXPECT_EQ(compare(kRest, now, Runtime::go, 2), Leftover::nothing);
  EXPECT_EQ(compare(kRest, now, Runtime::go, 0), Leftover::connections);
  now.sockets = 4;
  EXPECT_EQ(compare(kRest, now, Runtime::go, 2), Leftover::connections);
}

TEST(Leftovers, HalfADisk) {
  sandbox::SandboxState now = kRest;
  now.disk_percent = 49;
  EXPECT_EQ(compare(kRest, now, Runtime::python, 0), Leftover::nothing);
  now.disk_percent = 50;
  EXPECT_EQ(compare(kRest, now, Runtime::python, 0), Leftover::disk);
}

}  // namespace
}  // namespace infra::worker
