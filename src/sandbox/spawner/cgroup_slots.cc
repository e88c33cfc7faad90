#include "sandbox/spawner/cgroup_slots.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>

#include "core/limits.h"
#include "sandbox/spawner/cgroup_v1.h"
#include "sandbox/spawner/cgroup_v2.h"
#include "sandbox/system/cgroup_support.h"

namespace infra::sandbox {
CpuShare cpu_share(int memory_mb) {
  CpuShare share;
  share.weight_v2 = std::clamp(memory_mb * 100 / limits::kMemoryPerCpuMb, 1, 10'000);
  share.shares_v1 = std::clamp(memory_mb * 1024 / limits::kMemoryPerCpuMb, 2, 262'144);
  share.quota_us = std::max(share.period_us, share.period_us * memory_mb / limits::kMemoryPerCpuMb);
  return share;
}

Result<std::unique_ptr<CgroupSlots>> open_cgroup_slots(const std::string& instance) {
  if (auto usable = check_cgroups(); !usable) return fail(usable.error());
  if (has_cgroup_v1()) {
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

}  // namespace infra::sandbox
