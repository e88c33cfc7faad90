#include "sandbox/system/cgroup_files.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "sandbox/system/system_error.h"
#include "sandbox/system/unique_fd.h"

namespace infra::sandbox {
namespace {

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (true) {
    const std::size_t end = text.find(separator);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

bool has(const std::vector<std::string>& list, std::string_view wanted) {
  for (const auto& item : list) {
    if (item == wanted) return true;
  }
  return false;
}

std::int64_t to_number(std::string_view text) {
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// The path in /proc/self/cgroup ("4:memory:/a/b"; v2 is "0::/a/b").
std::optional<std::string> own_path(std::string_view controller) {
  std::ifstream file("/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string names = line.substr(first + 1, second - first - 1);
    const bool match = controller.empty() ? names.empty() : has(split(names, ','), controller);
    if (match) return line.substr(second + 1);
  }
  return std::nullopt;
}

// proc(5), mountinfo: "36 35 98:0 /root /mount options tags… - type source super-options".
std::optional<CgroupPlace> find_place(std::string_view type, std::string_view controller) {
  const auto own = own_path(controller);
  if (!own) return std::nullopt;
  std::ifstream file("/proc/self/mountinfo");
  for (std::string line; std::getline(file, line);) {
    const std::size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    const auto front = split(line.substr(0, dash), ' ');
    const auto back = split(line.substr(dash + 3), ' ');
    if (front.size() < 5 || back.size() < 3 || back[0] != type) continue;
    if (!controller.empty() && !has(split(back[2], ','), controller)) continue;
    const std::string& root = front[3];
    std::string below = *own == "/" ? "" : *own;
    if (root != "/" && below.starts_with(root)) below = below.substr(root.size());
    std::string place = front[4] + below;
    if (::access(place.c_str(), F_OK) != 0) place = front[4];
    return CgroupPlace{front[4], place};
  }
  return std::nullopt;
}

}  // namespace

Result<void> write_cgroup(const std::string& path, std::string_view text) {
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file.valid()) return system_failure("opening " + path);
  ssize_t wrote = 0;
  do {
    wrote = ::write(file.get(), text.data(), text.size());
  } while (wrote < 0 && errno == EINTR);  // a limit may have to wait for memory to be given back
  if (wrote < 0) return system_failure("writing " + path);
  return {};
}

std::string read_cgroup(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  std::array<char, 4096> part{};
  for (ssize_t got = 0; file.valid() && (got = ::read(file.get(), part.data(), part.size())) > 0;) {
    text.append(part.data(), static_cast<std::size_t>(got));
  }
  return text;
}

std::int64_t read_cgroup_number(const std::string& path) {
  return to_number(read_cgroup(path));
}

std::int64_t read_cgroup_key(const std::string& path, std::string_view key) {
  std::istringstream lines(read_cgroup(path));
  std::int64_t value = 0;
  for (std::string name; lines >> name >> value;) {
    if (name == key) return value;
  }
  return 0;
}

std::int64_t sum_cgroup_fields(std::string_view text, std::string_view name) {
  std::int64_t sum = 0;
  const std::string wanted = " " + std::string(name) + "=";
  for (auto at = text.find(wanted); at != std::string_view::npos; at = text.find(wanted, at + 1))
    sum += to_number(text.substr(at + wanted.size()));
  return sum;
}

std::vector<pid_t> cgroup_processes(const std::string& group) {
  std::istringstream lines(read_cgroup(group + "/cgroup.procs"));
  std::vector<pid_t> pids;
  for (pid_t pid = 0; lines >> pid;) pids.push_back(pid);
  return pids;
}

Result<void> make_cgroup(const std::string& group) {
  if (::mkdir(group.c_str(), 0755) != 0 && errno != EEXIST) return system_failure("making the control group " + group);
  return {};
}

Result<std::string> make_instance_cgroup(const std::string& own, const std::string& instance) {
  constexpr int kAttempts = 20;
  std::string group = own + "/infra/" + instance;
  Result<void> made;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    made = make_cgroup(own + "/infra");
    if (made) made = make_cgroup(group);
    if (made) return group;
  }
  return fail(made.error());
}

Result<void> kill_and_remove_cgroup(const std::string& group) {
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(2);
  while (::rmdir(group.c_str()) != 0) {
    if (errno == ENOENT) return {};
    if (std::chrono::steady_clock::now() > give_up) return system_failure("removing the control group " + group, EBUSY);
    for (const pid_t pid : cgroup_processes(group)) {
      if (pid > 1) ::kill(pid, SIGKILL);  // 0 stands for a process outside our pid namespace
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return {};
}

std::vector<std::string> child_cgroups(const std::string& group) {
  std::vector<std::string> groups;
  std::error_code ignored;
  std::error_code failed;
  for (std::filesystem::directory_iterator entry(group, failed), end; !failed && entry != end;
       entry.increment(failed)) {
    if (entry->is_directory(ignored)) groups.push_back(entry->path().string());
  }
  return groups;
}

std::optional<CgroupPlace> find_cgroup_v1(std::string_view controller) {
  return find_place("cgroup", controller);
}
std::optional<CgroupPlace> find_cgroup_v2() {
  return find_place("cgroup2", "");
}

}  // namespace infra::sandbox
