#include "worker/sandbox/cgroup_slots.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>

#include "core/limits.h"
#include "worker/sandbox/cgroup_v1.h"
#include "worker/sandbox/cgroup_v2.h"

namespace infra::worker {
namespace {

bool has_v1() {
  for (const char* controller : {"memory", "cpu", "cpuacct", "pids"}) {
    if (!find_cgroup_v1(controller)) return false;
  }
  return true;
}

}  // namespace

CpuShare cpu_share(int memory_mb) {
  CpuShare share;
  share.weight_v2 = std::clamp(memory_mb * 100 / limits::kMemoryPerCpuMb, 1, 10'000);
  share.shares_v1 = std::clamp(memory_mb * 1024 / limits::kMemoryPerCpuMb, 2, 262'144);
  share.quota_us = std::max(share.period_us, share.period_us * memory_mb / limits::kMemoryPerCpuMb);
  return share;
}

Result<void> check_cgroups() {
  if (has_v1()) return {};
  const auto place = find_cgroup_v2();
  if (!place) {
    return fail(ErrorKind::unavailable, "no_isolation",
                "no control groups are mounted: neither cgroup2 nor the v1 controllers memory, cpu, cpuacct and pids");
  }
  const std::string missing = missing_v2_controllers(place->own);
  if (missing.empty() || missing_v2_controllers(place->mount).empty()) return {};
  return fail(ErrorKind::unavailable, "no_isolation",
              fmt::format("the cgroup controllers {} are not available to {}; run infra as a service with Delegate=yes",
                          missing, place->own));
}

Result<std::unique_ptr<CgroupSlots>> open_cgroup_slots(const std::string& instance) {
  if (auto usable = check_cgroups(); !usable) return fail(usable.error());
  if (has_v1()) {
    auto v1 = CgroupV1Slots::open(instance);
    if (!v1) return fail(v1.error());
    return std::move(*v1);
  }
  auto v2 = CgroupV2Slots::open(instance);
  if (!v2) return fail(v2.error());
  return std::move(*v2);
}

std::string instance_name(const std::filesystem::path& versions_root) {
  // FNV-1a, 64 bits: the name must be the same in the next program, which std::hash does not promise.
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : versions_root.lexically_normal().string()) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  }
  return fmt::format("{:016x}", hash);
}

}  // namespace infra::worker
