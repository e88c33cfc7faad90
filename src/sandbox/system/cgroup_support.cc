#include "sandbox/system/cgroup_support.h"

#include <fmt/format.h>

#include <array>
#include <sstream>

#include "core/operator_error_codes.h"
#include "sandbox/system/cgroup_files.h"

namespace infra::sandbox {
namespace {

constexpr std::array<const char*, 3> kControllers{"memory", "pids", "cpu"};

}  // namespace

bool has_cgroup_v1() {
  for (const char* controller : {"memory", "cpu", "cpuacct", "pids"}) {
    if (!find_cgroup_v1(controller)) return false;
  }
  return true;
}

std::string missing_v2_controllers(const std::string& group) {
  std::istringstream words(read_cgroup(group + "/cgroup.controllers"));
  std::string all = " ";
  for (std::string word; words >> word;) all += word + " ";
  std::string missing;
  for (const char* controller : kControllers) {
    if (all.find(" " + std::string(controller) + " ") != std::string::npos) continue;
    missing += (missing.empty() ? "" : ", ") + std::string(controller);
  }
  return missing;
}

Result<void> check_cgroups() {
  if (has_cgroup_v1()) return {};
  const auto place = find_cgroup_v2();
  if (!place) {
    return fail(errors::no_isolation,
                "no control groups are mounted: neither cgroup2 nor the v1 controllers memory, cpu, cpuacct and pids");
  }
  const std::string missing = missing_v2_controllers(place->own);
  if (missing.empty() || missing_v2_controllers(place->mount).empty()) return {};
  return fail(errors::no_isolation,
              fmt::format("the cgroup controllers {} are not available to {}; run infra as a service with Delegate=yes",
                          missing, place->own));
}

}  // namespace infra::sandbox
