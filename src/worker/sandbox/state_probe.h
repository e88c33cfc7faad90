// How a sandbox looks from outside, without asking anybody: its init opens a few descriptors before any of the
// function's code runs, and the worker reads what the kernel counts behind them. A look costs a few microseconds, so
// that it can be had after every call.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <span>
#include <string>

#include "worker/sandbox/launcher.h"
#include "worker/sandbox/unique_fd.h"

namespace infra::worker {

inline constexpr std::size_t kEarlyProbes = 5;            // those that init can open while it waits for a function
inline constexpr std::size_t kProbes = kEarlyProbes + 2;  // then /workspace, and the group's count of processes

// Of one file that exists in the sandbox or beside it. Never invalid: the null device stands for what this kernel has
// not, and counts as nothing.
[[nodiscard]] UniqueFd open_probe(const std::string& path, int flags);
[[nodiscard]] UniqueFd open_folder_probe(const std::string& path);

// In init, where /proc and the network are the sandbox's. `runner` as its process id is in there.
[[nodiscard]] std::array<UniqueFd, kEarlyProbes> open_early_probes(pid_t runner);

class StateProbe {
 public:
  // Takes them, in the order above.
  explicit StateProbe(std::span<UniqueFd, kProbes> probes);
  // `output` is the folder for output files.
  [[nodiscard]] SandboxState look(const UniqueFd& output) const;

 private:
  UniqueFd threads_;
  std::array<UniqueFd, 2> sockets_;  // IPv4, IPv6
  std::array<UniqueFd, 3> disks_;
  UniqueFd processes_;
};

}  // namespace infra::worker
