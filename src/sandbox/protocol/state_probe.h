// How a sandbox looks from outside, without asking a process in it: its init opens a few descriptors before any of the
// function's code runs, and the worker reads what the kernel counts behind them. A look costs a few microseconds, so
// that it can be had after every call.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "sandbox/protocol/sandbox_usage.h"
#include "sandbox/system/unique_fd.h"

namespace infra::sandbox {

inline constexpr std::size_t kEarlyProbes = 4;            // those that init can open while it waits for a function
inline constexpr std::size_t kProbes = kEarlyProbes + 1;  // then the group's count of processes
inline constexpr std::size_t kUsageProbes = 4;            // CPU time, peak memory, disk and network bytes

// Of one file that exists in the sandbox or beside it. Never invalid: the null device stands for what this kernel has
// not, and counts as nothing.
[[nodiscard]] UniqueFd open_probe(const std::string& path, int flags);
[[nodiscard]] UniqueFd open_folder_probe(const std::string& path);

// The bytes that `runner`, and those of its children that it has waited for, have read from disks: for where no group
// counts that. Root alone may read it, even if root opened it, and to others it is as if nothing was read; so it is
// once the process is gone.
[[nodiscard]] UniqueFd open_disk_probe(pid_t runner);
// Of that, or of v2's io.stat.
[[nodiscard]] std::int64_t read_disk_bytes(const UniqueFd& probe);

// In init, where /proc and the network are the sandbox's. `runner` as its process id is in there.
[[nodiscard]] std::array<UniqueFd, kEarlyProbes> open_early_probes(pid_t runner);

class StateProbe {
 public:
  // Takes them, in the order above. `has_init`: whether the group that counts has init in it.
  StateProbe(std::span<UniqueFd, kProbes> probes, bool has_init);
  // `output` is the folder for output files.
  [[nodiscard]] SandboxState look(const UniqueFd& output) const;
  // Lets go of what the kernel keeps with each file that was read, a page of memory.
  void rest();

 private:
  UniqueFd threads_;
  std::array<UniqueFd, 2> sockets_;  // IPv4, IPv6
  UniqueFd scratch_;
  UniqueFd processes_;
  int init_;
};

class UsageProbe {
 public:
  // Takes them, in the order above; one for the disk that is not valid is not read. `before`: the usage before the
  // launch, which no call is charged for.
  UsageProbe(std::span<UniqueFd, kUsageProbes> probes, const SandboxUsage& before);
  // Nothing once its group is gone.
  [[nodiscard]] std::optional<SandboxUsage> read() const;
  void reset_peak() const;
  // As above.
  void rest();

 private:
  UniqueFd cpu_, peak_, disk_, network_;
  SandboxUsage before_;
};

}  // namespace infra::sandbox
