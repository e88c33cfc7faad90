#include "sandbox/spawner/prewarm_policy.h"

#include <algorithm>

namespace infra::sandbox {
namespace {

// None for builds, which take so long that nothing is gained.
int least_of(const SandboxKind& kind) {
  return kind.purpose == LaunchPurpose::build ? 0 : traits_of(kind.runtime).least_waiting;
}
int most_of(const SandboxKind& kind) {
  return kind.purpose == LaunchPurpose::build ? 0 : traits_of(kind.runtime).most_waiting;
}

}  // namespace

PrewarmPolicy::PrewarmPolicy(const std::vector<SandboxKind>& basics) {
  for (const auto& kind : basics) shelves_.push_back({.kind = kind, .least = least_of(kind), .wanted = least_of(kind)});
}

PrewarmPolicy::Shelf& PrewarmPolicy::shelf(const SandboxKind& kind) {
  const auto found = std::ranges::find(shelves_, kind, &Shelf::kind);
  if (found != shelves_.end()) return *found;
  return shelves_.emplace_back(Shelf{.kind = kind});
}

void PrewarmPolicy::launched(const SandboxKind& kind, bool found, SteadyTime now) {
  Shelf& asked = shelf(kind);
  asked.asked = now;
  asked.works = true;
  if (!found) asked.wanted = std::min(std::max(1, asked.wanted * 2), most_of(kind));
}

void PrewarmPolicy::failed(const SandboxKind& kind) {
  shelf(kind).works = false;
}

std::optional<SandboxKind> PrewarmPolicy::lacking(const Count& ready) {
  const auto found = std::ranges::find_if(
      shelves_, [&](const Shelf& shelf) { return shelf.works && ready(shelf.kind) < shelf.wanted; });
  return found == shelves_.end() ? std::nullopt : std::optional(found->kind);
}

std::optional<SandboxKind> PrewarmPolicy::short_of(const Count& ready) {
  const auto found = std::ranges::find_if(
      shelves_, [&](const Shelf& shelf) { return shelf.works && ready(shelf.kind) * 2 < shelf.wanted; });
  return found == shelves_.end() ? std::nullopt : std::optional(found->kind);
}

int PrewarmPolicy::wanted(const SandboxKind& kind) const {
  const auto found = std::ranges::find(shelves_, kind, &Shelf::kind);
  return found == shelves_.end() ? 0 : found->wanted;
}

std::optional<SandboxKind> PrewarmPolicy::surplus(const Count& ready, SteadyTime now) {
  for (auto& shelf : shelves_) {
    if (now - shelf.asked >= kMemory) shelf.wanted = shelf.least;
  }
  std::erase_if(shelves_, [&](const Shelf& shelf) { return shelf.wanted == 0 && ready(shelf.kind) == 0; });
  const auto found =
      std::ranges::find_if(shelves_, [&](const Shelf& shelf) { return ready(shelf.kind) > shelf.wanted; });
  return found == shelves_.end() ? std::nullopt : std::optional(found->kind);
}

}  // namespace infra::sandbox
