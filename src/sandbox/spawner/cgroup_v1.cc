#include "sandbox/spawner/cgroup_v1.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "sandbox/system/cgroup_files.h"
#include "sandbox/system/system_error.h"

namespace infra::sandbox {
namespace {

// What waits in TCP's and UDP's queues is a counter of its own in v1, beside memory's, and has no limit unless one is
// set.
constexpr const char* kSocketMemoryLimit = "/memory.kmem.tcp.limit_in_bytes";
constexpr std::int64_t kSocketShare = 8;  // an eighth of the memory
constexpr std::int64_t kLeastInSockets = 4L * 1024 * 1024;

// A kernel may lack the file: built without what it is for, or of a later time.
Result<void> write_if_there(const std::string& path, std::string_view text) {
  auto wrote = write_cgroup(path, text);
  return wrote || ::access(path.c_str(), F_OK) == 0 ? wrote : Result<void>();
}

void remove_parents_of(const std::string& base) {
  ::rmdir(base.c_str());
  ::rmdir(base.substr(0, base.rfind('/')).c_str());  // fails while another instance is there
}

}  // namespace

Result<std::unique_ptr<CgroupV1Slots>> CgroupV1Slots::open(const std::string& instance) {
  auto slots = std::make_unique<CgroupV1Slots>();
  constexpr std::array<std::string_view, kHierarchies> kNames{"memory", "cpu", "cpuacct", "pids", ""};
  for (std::size_t i = 0; i < kHierarchies; ++i) {
    const auto place = i == kUnified ? find_cgroup_v2() : find_cgroup_v1(kNames[i]);
    if (i == kUnified && !place) continue;
    if (!place) return system_failure("finding the cgroup controller " + std::string(kNames[i]), ENOENT);
    auto base = make_instance_cgroup(place->own, instance);
    if (!base) return fail(base.error());
    slots->bases_[i] = std::move(*base);
  }
  // The v2 hierarchy counts CPU time as well, without a controller: one group less.
  const std::string& unified = slots->bases_[kUnified];
  if (!unified.empty() && read_cgroup(unified + "/cpu.stat").starts_with("usage_usec ")) {
    const std::string base = std::exchange(slots->bases_[kCpuAccounting], {});
    if (base != slots->bases_[kCpu]) {
      for (const auto& left : child_cgroups(base)) (void)kill_and_remove_cgroup(left);  // of an earlier program
      remove_parents_of(base);
    }
  }
  // No limit; but the kernel's accounting of sockets, which rewrites its own code as it begins and ends, does not come
  // and go with the slots.
  (void)write_if_there(slots->bases_[kMemory] + kSocketMemoryLimit, "-1");
  return slots;
}

std::string CgroupV1Slots::group(Hierarchy hierarchy, int slot) const {
  return bases_[hierarchy] + "/slot-" + std::to_string(slot);
}

Result<void> CgroupV1Slots::sweep() {
  for (const auto& base : bases_) {
    if (base.empty()) continue;
    for (const auto& left : child_cgroups(base)) {
      if (auto removed = kill_and_remove_cgroup(left); !removed) return removed;
    }
  }
  return {};
}

Result<void> CgroupV1Slots::create(int slot) {
  for (const auto hierarchy : {kMemory, kCpu, kCpuAccounting, kPids, kUnified}) {
    if (bases_[hierarchy].empty()) continue;
    if (auto made = make_cgroup(group(hierarchy, slot)); !made) return made;
  }
  return write_cgroup(group(kPids, slot) + "/pids.max", std::to_string(kMaxProcesses));
}

std::vector<std::string> CgroupV1Slots::join_files(int slot) const {
  std::vector<std::string> files;
  for (const auto hierarchy : {kMemory, kCpu, kCpuAccounting, kPids, kUnified}) {
    if (!bases_[hierarchy].empty()) files.push_back(group(hierarchy, slot) + "/cgroup.procs");
  }
  return files;
}

Result<void> CgroupV1Slots::limit(int slot, int memory_mb) {
  const std::int64_t most = static_cast<std::int64_t>(memory_mb) * 1024 * 1024;
  const std::string bytes = std::to_string(most);
  const std::string memory = group(kMemory, slot);
  const std::string cpu = group(kCpu, slot);
  const CpuShare share = cpu_share(memory_mb);
  if (auto wrote = write_cgroup(memory + "/memory.limit_in_bytes", bytes); !wrote) return wrote;
  // Memory and swap together, so no swap.
  if (auto wrote = write_if_there(memory + "/memory.memsw.limit_in_bytes", bytes); !wrote) return wrote;
  const std::int64_t in_sockets = std::max(most / kSocketShare, kLeastInSockets);
  if (auto wrote = write_if_there(memory + kSocketMemoryLimit, std::to_string(in_sockets)); !wrote) return wrote;
  if (auto wrote = write_cgroup(cpu + "/cpu.shares", std::to_string(share.shares_v1)); !wrote) return wrote;
  // The quota, a part of the kernel's own period, needs CONFIG_CFS_BANDWIDTH; without it the shares alone still divide
  // a busy machine.
  return write_if_there(cpu + "/cpu.cfs_quota_us", std::to_string(share.quota_us));
}

std::string CgroupV1Slots::cpu_file(int slot) const {
  return bases_[kCpuAccounting].empty() ? group(kUnified, slot) + "/cpu.stat"
                                        : group(kCpuAccounting, slot) + "/cpuacct.usage";
}

SandboxUsage CgroupV1Slots::usage(int slot) const {
  const bool unified = bases_[kCpuAccounting].empty();
  return {.cpu_us = unified ? read_cgroup_key(cpu_file(slot), "usage_usec") : read_cgroup_number(cpu_file(slot)) / 1000,
          .peak_memory_bytes = read_cgroup_number(group(kMemory, slot) + "/memory.max_usage_in_bytes"),
          .disk_read_bytes = 0};
}

CgroupSlots::UsageFiles CgroupV1Slots::usage_files(int slot) const {
  const auto open_file = [](const std::string& path, int flags) {
    return UniqueFd(::open(path.c_str(), flags | O_CLOEXEC));
  };
  return {.cpu = open_file(cpu_file(slot), O_RDONLY),
          .peak = open_file(group(kMemory, slot) + "/memory.max_usage_in_bytes", O_RDWR),
          .disk = UniqueFd()};
}

std::string CgroupV1Slots::process_count_file(int slot) const {
  return group(kPids, slot) + "/pids.current";
}

bool CgroupV1Slots::out_of_memory(int slot) const {
  return read_cgroup_key(group(kMemory, slot) + "/memory.oom_control", "oom_kill") > 0;
}

void CgroupV1Slots::freeze(int slot, bool frozen) {
  if (!bases_[kUnified].empty()) (void)write_cgroup(group(kUnified, slot) + "/cgroup.freeze", frozen ? "1" : "0");
}

bool CgroupV1Slots::remove(int slot) {
  bool gone = true;
  for (const auto hierarchy : {kMemory, kCpu, kCpuAccounting, kPids, kUnified}) {
    if (bases_[hierarchy].empty()) continue;
    if (::rmdir(group(hierarchy, slot).c_str()) != 0 && errno != ENOENT) gone = false;
  }
  return gone;
}

void CgroupV1Slots::remove_parents() {
  for (const auto& base : bases_) {
    if (!base.empty()) remove_parents_of(base);
  }
}

}  // namespace infra::sandbox
