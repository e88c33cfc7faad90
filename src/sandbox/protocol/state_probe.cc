#include "sandbox/protocol/state_probe.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string_view>
#include <utility>

#include "sandbox/protocol/network_bytes.h"
#include "sandbox/system/cgroup_files.h"

namespace infra::sandbox {
namespace {

template <typename Number = int>
Number number_at(std::string_view text) {
  Number number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

template <std::size_t Size>
std::string_view read_probe(const UniqueFd& probe, std::array<char, Size>& into) {
  const ssize_t got = ::pread(probe.get(), into.data(), into.size(), 0);
  return {into.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0))};
}

// Of v1's cpuacct.usage, a number of nanoseconds, or v2's cpu.stat, whose first line is "usage_usec 123".
std::int64_t cpu_time_us(std::string_view text) {
  constexpr std::string_view kKey = "usage_usec ";
  if (text.starts_with(kKey)) return number_at<std::int64_t>(text.substr(kKey.size()));
  return number_at<std::int64_t>(text) / 1000;
}

// A task folder's link count is two and its threads; zero for the null device and a process that is gone.
int count_threads(const UniqueFd& task) {
  struct stat info{};
  if (::fstat(task.get(), &info) != 0 || !S_ISDIR(info.st_mode)) return 0;
  return static_cast<int>(info.st_nlink) - 2;
}

// "TCP: inuse 1 orphan 0 …" and so on, a line a protocol; the fragments' line, the last, is none of sockets.
int count_sockets(const UniqueFd& table) {
  constexpr std::string_view kInUse = " inuse ";
  std::array<char, 512> buffer;
  std::string_view text = read_probe(table, buffer);
  text = text.substr(0, text.find("FRAG"));
  int sum = 0;
  for (auto at = text.find(kInUse); at != std::string_view::npos; at = text.find(kInUse, at + 1))
    sum += number_at(text.substr(at + kInUse.size()));
  return sum;
}

int used_percent(std::uint64_t all, std::uint64_t free) {
  return all == 0 ? 0 : static_cast<int>((all - std::min(free, all)) * 100 / all);
}

// The same file, with nothing read from it yet. One that can't be opened from here stays.
void open_anew(UniqueFd& probe) {
  if (!probe.valid()) return;
  UniqueFd anew(::open(("/proc/self/fd/" + std::to_string(probe.get())).c_str(), O_RDONLY | O_CLOEXEC));
  if (anew.valid()) probe = std::move(anew);
}

struct DiskUse {
  int percent = 0;
  std::int64_t bytes = 0;
};

DiskUse disk_use(const UniqueFd& folder) {
  struct statfs info{};
  if (::fstatfs(folder.get(), &info) != 0) return {};
  return {.percent = std::max(used_percent(info.f_blocks, info.f_bfree), used_percent(info.f_files, info.f_ffree)),
          .bytes = static_cast<std::int64_t>(info.f_blocks - std::min(info.f_bfree, info.f_blocks)) * info.f_bsize};
}

}  // namespace

UniqueFd open_probe(const std::string& path, int flags) {
  UniqueFd probe(::open(path.c_str(), flags | O_CLOEXEC));
  if (!probe.valid()) probe.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  return probe;
}

UniqueFd open_folder_probe(const std::string& path) {
  return open_probe(path, O_PATH | O_DIRECTORY);  // to be looked at, not read
}

UniqueFd open_disk_probe(pid_t runner) {
  return open_probe("/proc/" + std::to_string(runner) + "/io", O_RDONLY);
}

std::int64_t read_disk_bytes(const UniqueFd& probe) {
  constexpr std::string_view kOwn = "\nread_bytes: ";
  std::array<char, 2048> buffer;
  const std::string_view text = read_probe(probe, buffer);
  const auto own = text.find(kOwn);
  return own == std::string_view::npos ? sum_cgroup_fields(text, "rbytes")
                                       : number_at<std::int64_t>(text.substr(own + kOwn.size()));
}

std::array<UniqueFd, kEarlyProbes> open_early_probes(pid_t runner) {
  return {open_folder_probe("/proc/" + std::to_string(runner) + "/task"), open_probe("/proc/net/sockstat", O_RDONLY),
          open_probe("/proc/net/sockstat6", O_RDONLY),
          open_folder_probe("/tmp")};  // which stands for all that is on its file system
}

StateProbe::StateProbe(std::span<UniqueFd, kProbes> probes, bool has_init)
    : threads_(std::move(probes[0])),
      sockets_{std::move(probes[1]), std::move(probes[2])},
      scratch_(std::move(probes[3])),
      processes_(std::move(probes[4])),
      init_(has_init ? 1 : 0) {}

SandboxState StateProbe::look(const UniqueFd& output) const {
  std::array<char, 32> count;
  SandboxState state;
  state.threads = count_threads(threads_);
  // The group counts threads; those of the runner and of init are taken off.
  state.processes = std::max(0, number_at(read_probe(processes_, count)) - state.threads - init_);
  for (const auto& table : sockets_) state.sockets += count_sockets(table);
  const DiskUse scratch = disk_use(scratch_);
  state.disk_percent = scratch.percent;
  state.scratch_bytes = scratch.bytes;
  state.output_bytes = disk_use(output).bytes;
  return state;
}

void StateProbe::rest() {
  for (auto& table : sockets_) open_anew(table);
  open_anew(processes_);
}

UsageProbe::UsageProbe(std::span<UniqueFd, kUsageProbes> probes, const SandboxUsage& before)
    : cpu_(std::move(probes[0])),
      peak_(std::move(probes[1])),
      disk_(std::move(probes[2])),
      network_(std::move(probes[3])),
      before_(before) {}

std::optional<SandboxUsage> UsageProbe::read() const {
  std::array<char, 512> buffer;
  const std::string_view cpu = read_probe(cpu_, buffer);
  if (cpu.empty()) return std::nullopt;
  SandboxUsage used;
  used.cpu_us = cpu_time_us(cpu) - before_.cpu_us;
  used.peak_memory_bytes = number_at<std::int64_t>(read_probe(peak_, buffer));
  if (disk_.valid()) used.disk_read_bytes = read_disk_bytes(disk_) - before_.disk_read_bytes;
  const NetworkBytes bytes = read_network_bytes(network_.get());
  used.network_rx = bytes.received;
  used.network_tx = bytes.sent;
  return used;
}

void UsageProbe::reset_peak() const {
  (void)!::pwrite(peak_.get(), "0", 1, 0);
}

void UsageProbe::rest() {
  for (UniqueFd* probe : {&cpu_, &disk_, &network_})
    open_anew(*probe);  // v2's peak is one since a reset through that very file
}

}  // namespace infra::sandbox
