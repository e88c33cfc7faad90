// How many sandboxes of which kind the spawner keeps ready: a few of each basic kind, and more of what was asked for
// lately. It counts and decides; the spawner prepares.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <vector>

#include "core/time.h"
#include "sandbox/spawner/sandbox_kind.h"

namespace infra::sandbox {

class PrewarmPolicy {
 public:
  using Count = std::function<int(const SandboxKind&)>;
  static constexpr std::chrono::seconds kMemory{60};  // after that long without a launch a kind is as at the start

  explicit PrewarmPolicy(const std::vector<SandboxKind>& basics);

  // A launch found a ready one, or did not and will have to wait: the next time there will be more.
  void launched(const SandboxKind& kind, bool found, SteadyTime now);
  // None could be prepared: nothing is tried again before a launch asks for it.
  void failed(const SandboxKind& kind);

  // The kind to prepare next, by the number `ready` or on its way; none while there is enough.
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

}  // namespace infra::sandbox
