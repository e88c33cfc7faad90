// The control groups of a spawner's slots: limits, usage and leftovers, on cgroup v1 and v2 behind one interface.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "sandbox/protocol/sandbox_usage.h"
#include "sandbox/system/unique_fd.h"

namespace infra::sandbox {

inline constexpr int kMaxProcesses = 128;  // and threads, of one sandbox; node starts with 11

// How much CPU goes with `memory_mb`. AWS Lambda's documented scale is one vCPU for 1,769 MB; that proportion decides
// who yields when the machine is full. The hard quota never goes below one core: on an idle machine a small function
// may as well finish sooner, and a runtime's start would otherwise be throttled for most of a 100 ms period.
struct CpuShare {
  int weight_v2 = 100;   // cpu.weight
  int shares_v1 = 1024;  // cpu.shares
  std::int64_t quota_us = 100'000;
  std::int64_t period_us = 100'000;  // the kernel's own
};
[[nodiscard]] CpuShare cpu_share(int memory_mb);

// Single-threaded; only the spawner has one.
class CgroupSlots {
 public:
  virtual ~CgroupSlots() = default;
  // Kills and removes what an earlier spawner of the same instance left.
  [[nodiscard]] virtual Result<void> sweep() = 0;
  [[nodiscard]] virtual Result<void> create(int slot) = 0;
  // For CLONE_INTO_CGROUP; -1 where a process has to place itself by writing "0" to each of join_files().
  [[nodiscard]] virtual int clone_target(int slot) const = 0;
  [[nodiscard]] virtual std::vector<std::string> join_files(int slot) const = 0;
  [[nodiscard]] virtual Result<void> limit(int slot, int memory_mb) = 0;
  [[nodiscard]] virtual SandboxUsage usage(int slot) const = 0;
  [[nodiscard]] virtual bool counts_disk(int slot) const = 0;
  // The files behind usage(), for a reader without the slots; the first is missing in no group.
  struct UsageFiles {
    UniqueFd cpu;   // v1's cpuacct.usage or v2's cpu.stat
    UniqueFd peak;  // writing to it resets it; where the kernel can't (v2 before 6.12) it stays that of the whole life
    UniqueFd disk;  // v2's io.stat; -1 if there is none
  };
  [[nodiscard]] virtual UsageFiles usage_files(int slot) const = 0;
  // Holds how many processes and threads are in it.
  [[nodiscard]] virtual std::string process_count_file(int slot) const = 0;
  [[nodiscard]] virtual bool out_of_memory(int slot) const = 0;
  // Stops or continues all its processes, where there is a hierarchy that can (v2, or v1 with v2 beside it).
  virtual void freeze(int slot, bool frozen) = 0;
  // False while the kernel still counts a dying process in it.
  virtual bool remove(int slot) = 0;
  // The groups above the slots, when all slots are gone.
  virtual void remove_parents() = 0;
};

// `instance` keeps two programs apart. Says which controller is missing and what to do.
[[nodiscard]] Result<std::unique_ptr<CgroupSlots>> open_cgroup_slots(const std::string& instance);

// Hexadecimal, from the path of the versions root.
[[nodiscard]] std::string instance_name(const std::filesystem::path& versions_root);

}  // namespace infra::sandbox
