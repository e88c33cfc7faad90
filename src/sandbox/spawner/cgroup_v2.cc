#include "sandbox/spawner/cgroup_v2.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <filesystem>
#include <sstream>

#include "sandbox/system/cgroup_support.h"
#include "sandbox/system/system_error.h"

namespace infra::sandbox {
namespace {

constexpr std::array<const char*, 3> kControllers{"memory", "pids", "cpu"};

Result<void> enable_controllers(const std::string& group) {
  for (const char* controller : kControllers) {
    if (auto wrote = write_cgroup(group + "/cgroup.subtree_control", std::string("+") + controller); !wrote)
      return wrote;
  }
  (void)write_cgroup(group + "/cgroup.subtree_control", "+io");  // what it counts is good to know, no more
  return {};
}

// The program and the spawner it has just forked.
bool only_ours(const std::string& group) {
  for (const pid_t pid : cgroup_processes(group)) {
    if (pid != ::getpid() && pid != ::getppid()) return false;
  }
  return true;
}

// The group that an earlier spawner of this program moved it out of, into the leaf <parent>/infra/<instance>/main; else
// `own`.
std::string before_move(const std::string& own) {
  const std::filesystem::path leaf(own);
  const auto made_by_us = leaf.parent_path().parent_path();
  return leaf.filename() == "main" && made_by_us.filename() == "infra" ? made_by_us.parent_path().string() : own;
}

Result<std::string> make_base(const std::string& parent, const std::string& instance, bool move_in) {
  auto base = make_instance_cgroup(parent, instance);
  if (!base) return base;
  if (move_in) {
    const std::string leaf = *base + "/main";
    if (auto made = make_cgroup(leaf); !made) return fail(made.error());
    for (const pid_t pid : cgroup_processes(parent)) {
      if (auto moved = write_cgroup(leaf + "/cgroup.procs", std::to_string(pid)); !moved) return fail(moved.error());
    }
  }
  for (const auto& group : {parent, parent + "/infra", *base}) {
    if (auto enabled = enable_controllers(group); !enabled) return fail(enabled.error());
  }
  return base;
}

}  // namespace

Result<std::unique_ptr<CgroupV2Slots>> CgroupV2Slots::open(const std::string& instance) {
  const auto place = find_cgroup_v2();
  if (!place) return system_failure("finding the cgroup2 mount", ENOENT);
  // Only the machine's root group lacks this file, and only it may hold processes beside groups with controllers. What
  // looks like the root inside a container does not count.
  const std::string own = before_move(place->own);
  const bool is_root = ::access((own + "/cgroup.type").c_str(), F_OK) != 0;
  const bool own_usable = missing_v2_controllers(own).empty() && (is_root || only_ours(own));
  auto base = make_base(own_usable ? own : place->mount, instance, own_usable && !is_root);
  if (!base) return fail(base.error());
  auto slots = std::make_unique<CgroupV2Slots>();
  slots->base_ = std::move(*base);
  return slots;
}

Result<void> CgroupV2Slots::sweep() {
  for (const auto& left : child_cgroups(base_)) {
    if (left.ends_with("/main")) continue;
    (void)write_cgroup(left + "/cgroup.kill", "1");  // since 5.14; else the loop below kills one by one
    if (auto removed = kill_and_remove_cgroup(left); !removed) return removed;
  }
  return {};
}

CgroupV2Slots::Open& CgroupV2Slots::opened(int slot) {
  const auto index = static_cast<std::size_t>(slot);
  if (open_.size() <= index) open_.resize(index + 1);
  return open_[index];
}

Result<void> CgroupV2Slots::create(int slot) {
  if (auto made = make_cgroup(group(slot)); !made) return made;
  Open& open = opened(slot);
  open.folder.reset(::open(group(slot).c_str(), O_DIRECTORY | O_RDONLY | O_CLOEXEC));
  if (!open.folder.valid()) return system_failure("opening " + group(slot));
  open.io.reset(::open((group(slot) + "/io.stat").c_str(), O_RDONLY | O_CLOEXEC));
  open.peak.reset(::open((group(slot) + "/memory.peak").c_str(), O_RDWR | O_CLOEXEC));
  if (!open.peak.valid()) open.peak.reset(::open((group(slot) + "/memory.peak").c_str(), O_RDONLY | O_CLOEXEC));
  // One of its processes alone is of no use to a function that ran out.
  if (auto wrote = write_cgroup(group(slot) + "/memory.oom.group", "1"); !wrote) return wrote;
  return write_cgroup(group(slot) + "/pids.max", std::to_string(kMaxProcesses));
}

int CgroupV2Slots::clone_target(int slot) const {
  return open_[static_cast<std::size_t>(slot)].folder.get();
}

Result<void> CgroupV2Slots::limit(int slot, int memory_mb) {
  const std::string here = group(slot);
  const CpuShare share = cpu_share(memory_mb);
  const std::string bytes = std::to_string(static_cast<std::int64_t>(memory_mb) * 1024 * 1024);
  if (auto wrote = write_cgroup(here + "/memory.max", bytes); !wrote) return wrote;
  if (::access((here + "/memory.swap.max").c_str(), F_OK) == 0) {
    if (auto wrote = write_cgroup(here + "/memory.swap.max", "0"); !wrote) return wrote;
  }
  if (auto wrote = write_cgroup(here + "/cpu.weight", std::to_string(share.weight_v2)); !wrote) return wrote;
  return write_cgroup(here + "/cpu.max", std::to_string(share.quota_us) + " " + std::to_string(share.period_us));
}

std::int64_t CgroupV2Slots::peak(int slot) const {
  std::array<char, 32> text{};
  const int fd = open_[static_cast<std::size_t>(slot)].peak.get();
  const ssize_t got = fd < 0 ? 0 : ::pread(fd, text.data(), text.size(), 0);
  std::int64_t value = 0;
  if (got > 0) std::from_chars(text.data(), text.data() + got, value);
  return value;
}

// A line a device, of which a machine has few.
std::int64_t CgroupV2Slots::disk_read(int slot) const {
  std::array<char, 2048> text{};
  const int fd = open_[static_cast<std::size_t>(slot)].io.get();
  const ssize_t got = fd < 0 ? 0 : ::pread(fd, text.data(), text.size(), 0);
  return got <= 0 ? 0 : sum_cgroup_fields({text.data(), static_cast<std::size_t>(got)}, "rbytes");
}

SandboxUsage CgroupV2Slots::usage(int slot) const {
  return {.cpu_us = read_cgroup_key(group(slot) + "/cpu.stat", "usage_usec"),
          .peak_memory_bytes = peak(slot),
          .disk_read_bytes = disk_read(slot)};
}

// Of the same open files: a peak that was reset through one is reset for the other.
CgroupSlots::UsageFiles CgroupV2Slots::usage_files(int slot) const {
  const Open& open = open_[static_cast<std::size_t>(slot)];
  const auto copy = [](const UniqueFd& fd) {
    return UniqueFd(fd.valid() ? ::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0) : -1);
  };
  return {.cpu = UniqueFd(::open((group(slot) + "/cpu.stat").c_str(), O_RDONLY | O_CLOEXEC)),
          .peak = copy(open.peak),
          .disk = copy(open.io)};
}

std::string CgroupV2Slots::process_count_file(int slot) const {
  return group(slot) + "/pids.current";
}

bool CgroupV2Slots::out_of_memory(int slot) const {
  return read_cgroup_key(group(slot) + "/memory.events", "oom_kill") > 0;
}

void CgroupV2Slots::freeze(int slot, bool frozen) {
  (void)write_cgroup(group(slot) + "/cgroup.freeze", frozen ? "1" : "0");
}

bool CgroupV2Slots::remove(int slot) {
  opened(slot) = Open{};
  return ::rmdir(group(slot).c_str()) == 0 || errno == ENOENT;
}

void CgroupV2Slots::remove_parents() {
  ::rmdir((base_ + "/main").c_str());
  ::rmdir(base_.c_str());
  ::rmdir(base_.substr(0, base_.rfind('/')).c_str());
}

}  // namespace infra::sandbox
