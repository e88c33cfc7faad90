// Reads and writes the small text files that cgroups are made of, and finds where the hierarchies are mounted.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"

namespace infra::sandbox {

[[nodiscard]] Result<void> write_cgroup(const std::string& path, std::string_view text);
[[nodiscard]] std::string read_cgroup(const std::string& path);  // empty if it can't be read
[[nodiscard]] std::int64_t read_cgroup_number(const std::string& path);
// The number after `key` in a file of "key number" lines; 0 if there is none.
[[nodiscard]] std::int64_t read_cgroup_key(const std::string& path, std::string_view key);
// The sum of a number that stands in many lines as `name`=number, as in io.stat.
[[nodiscard]] std::int64_t sum_cgroup_fields(std::string_view text, std::string_view name);
[[nodiscard]] std::vector<pid_t> cgroup_processes(const std::string& group);

// mkdir, fine if it exists.
[[nodiscard]] Result<void> make_cgroup(const std::string& group);
// <own>/infra/<instance>; returns its path. Another instance may be removing the empty folder between at the same time.
[[nodiscard]] Result<std::string> make_instance_cgroup(const std::string& own, const std::string& instance);
// Kills whatever is in `group` (no groups below it) and removes it; gives up after two seconds.
[[nodiscard]] Result<void> kill_and_remove_cgroup(const std::string& group);
[[nodiscard]] std::vector<std::string> child_cgroups(const std::string& group);

// Where this process's own group of one hierarchy is.
struct CgroupPlace {
  std::string mount;  // "/sys/fs/cgroup/memory"
  std::string own;    // the same, or a folder below it
};
[[nodiscard]] std::optional<CgroupPlace> find_cgroup_v1(std::string_view controller);
[[nodiscard]] std::optional<CgroupPlace> find_cgroup_v2();

}  // namespace infra::sandbox
