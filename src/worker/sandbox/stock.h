// How many sandboxes of which kind the spawner keeps ready: a few of each basic kind, and more of what was asked for
// lately. It counts and decides; the spawner prepares.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <vector>

#include "core/function.h"
#include "core/time.h"
#include "worker/sandbox/launcher.h"

namespace infra::worker {

// Sandboxes of one kind are interchangeable until they learn which function they are for.
struct SandboxKind {
  Runtime runtime = Runtime::python;  // Go's are C++'s: both run a binary
  int memory_mb = 0;                  // of Node.js alone, whose heap is fixed at its start
  LaunchPurpose purpose = LaunchPurpose::run;
  bool egress = false;
  int thread_pool = 0;  // of Node.js alone; it is started with it
  bool operator==(const SandboxKind&) const = default;
};
[[nodiscard]] SandboxKind sandbox_kind(LaunchPurpose purpose, Runtime runtime, int memory_mb, bool egress = false,
                                       int thread_pool = 0);

class Stock {
 public:
  using Count = std::function<int(const SandboxKind&)>;
  static constexpr std::chrono::seconds kMemory{60};  // after that long without a launch a kind is as at the start

  explicit Stock(const std::vector<SandboxKind>& basics);

  // A launch found a ready one, or did not and will have to wait: the next time there will be more.
  void launched(const SandboxKind& kind, bool found, SteadyTime now);
  // None could be prepared: nothing is tried again before a launch asks for it.
  void failed(const SandboxKind& kind);

  // What to prepare next, by what is `ready` or on its way; nothing while there is enough.
  [[nodiscard]] std::optional<SandboxKind> lacking(const Count& ready);
  // As lacking(), for what can wait no longer.
  [[nodiscard]] std::optional<SandboxKind> short_of(const Count& ready);
  [[nodiscard]] int wanted(const SandboxKind& kind) const;
  // A kind of which one too many is kept.
  [[nodiscard]] std::optional<SandboxKind> surplus(const Count& ready, SteadyTime now);

 private:
  struct Shelf {
    SandboxKind kind;
    int least = 0;
    int wanted = 0;
    bool works = true;
    SteadyTime asked{};
  };
  [[nodiscard]] Shelf& shelf(const SandboxKind& kind);

  std::vector<Shelf> shelves_;
};

}  // namespace infra::worker
