// A function that makes as much of one kind of kernel object as it can costs the machine no more memory than it has,
// whether the kernel counts that kind for it or not.
#include <fmt/format.h>

#include <future>

#include "sandbox/test_sandbox.h"

namespace infra::sandbox {
namespace {

constexpr int kMemoryMb = 128;
constexpr std::int64_t kMb = 1024 * 1024;

// What the machine's kernel holds that is no process's memory and no cache of files.
std::int64_t kernel_bytes() {
  std::istringstream lines(Folder::read("/proc/meminfo"));
  std::int64_t sum = 0;
  std::string name;
  std::int64_t kib = 0;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream(line) >> name >> kib;
    if (name == "MemTotal:") sum += kib;
    for (const char* other : {"MemFree:", "Buffers:", "Cached:", "SwapCached:", "AnonPages:", "SReclaimable:"})
      if (name == other) sum -= kib;
  }
  return sum * 1024;
}

class KernelObjectsTest : public SandboxTest, public testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    const auto program = folder_.path() / "versions" / version('a') / "objects";
    fs::copy_file(INFRA_KERNEL_OBJECTS, program);
    SandboxTest::SetUp();
  }
  std::int64_t growth();
  // What its groups count, sockets' queues beside.
  [[nodiscard]] std::int64_t counted() const {
    std::int64_t most = 0;
    for (const auto& group : slot_groups(folder_)) {
      for (const char* file : {"/memory.usage_in_bytes", "/memory.current"})
        most = std::max(
            most, read_cgroup_number(group + file) + read_cgroup_number(group + "/memory.kmem.tcp.usage_in_bytes"));
    }
    return most;
  }
};

// How much more the kernel holds at most while a new sandbox makes them; other programs' share of that is in it.
std::int64_t KernelObjectsTest::growth() {
  auto sandbox = launch('a', kMemoryMb);
  if (!sandbox) return 0;
  constexpr milliseconds kAttack{1500};
  const std::int64_t before = kernel_bytes();
  auto attack = std::async(std::launch::async, [&] {
    return run(*sandbox, fmt::format(R"(
import subprocess
attack = subprocess.Popen(['/workspace/objects', '{}', '{}'], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
out = attack.stdout.readline().decode().strip()
)",
                                     GetParam(), kAttack.count()));
  });
  std::int64_t most = 0;
  std::int64_t most_counted = 0;
  while (attack.wait_for(milliseconds(20)) != std::future_status::ready) {
    most = std::max(most, kernel_bytes() - before);
    most_counted = std::max(most_counted, counted());
  }
  most = std::max(most, kernel_bytes() - before);
  std::cout << GetParam() << ": " << attack.get() << " made; the kernel holds " << most / kMb
            << " MiB more, counted are " << most_counted / kMb << '\n';
  return most;
}

TEST_P(KernelObjectsTest, CostTheMachineNoMoreThanTheFunctionHas) {
  constexpr std::int64_t kBound = std::int64_t{kMemoryMb} * kMb * 9 / 8 * 11 / 10;
  constexpr int kAttempts = 6;  // what others do meanwhile is not there each time
  std::int64_t least = growth();
  for (int i = 1; i < kAttempts && least > kBound; ++i) least = std::min(least, growth());
  EXPECT_LE(least, kBound);
}

INSTANTIATE_TEST_SUITE_P(, KernelObjectsTest,
                         testing::Values("tcp", "udp", "unix_stream", "unix_dgram", "unix_seqpacket", "in_flight",
                                         "pipes", "epolls", "small_files", "memory_files", "timers", "process_locks",
                                         "file_locks", "whole_locks", "pressure", "inodes", "missing_names",
                                         "attributes", "mappings", "page_tables", "shared_segments", "semaphores",
                                         "messages", "groups", "ended_connections"),
                         [](const auto& kind) { return std::string(kind.param); });

}  // namespace
}  // namespace infra::sandbox
