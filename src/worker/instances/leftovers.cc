#include "worker/instances/leftovers.h"

namespace infra::worker {
namespace {

constexpr int kMostDiskPercent = 50;

}  // namespace

std::string_view to_string(Leftover left) {
  switch (left) {
    case Leftover::nothing:
      return "nothing";
    case Leftover::processes:
      return "processes";
    case Leftover::threads:
      return "threads";
    case Leftover::connections:
      return "connections";
    case Leftover::disk:
      return "disk";
  }
  return "nothing";
}

Leftover compare(const sandbox::SandboxState& rest, const sandbox::SandboxState& now, Runtime runtime, int excused) {
  if (now.processes > rest.processes) return Leftover::processes;
  if (traits_of(runtime).counts_threads && now.threads > rest.threads) return Leftover::threads;
  if (now.sockets > rest.sockets + excused) return Leftover::connections;
  return now.disk_percent >= kMostDiskPercent ? Leftover::disk : Leftover::nothing;
}

}  // namespace infra::worker
