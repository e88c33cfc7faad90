#include "worker/sandbox/stock.h"

#include <algorithm>

namespace infra::worker {
namespace {

// What a kind costs to keep: a booted Node.js some 20 MB and 0.1 s of CPU, the others little of either. A build takes
// so long that nothing is gained.
int least_of(const SandboxKind& kind) {
  if (kind.purpose == LaunchPurpose::build) return 0;
  return kind.runtime == Runtime::nodejs ? 1 : 2;
}
int most_of(const SandboxKind& kind) {
  if (kind.purpose == LaunchPurpose::build) return 0;
  return kind.runtime == Runtime::nodejs ? 4 : 16;
}

}  // namespace

SandboxKind sandbox_kind(LaunchPurpose purpose, Runtime runtime, int memory_mb, bool egress, int thread_pool) {
  if (purpose == LaunchPurpose::build) return {.runtime = runtime, .memory_mb = 0, .purpose = purpose};
  if (runtime == Runtime::nodejs) {
    return {.runtime = runtime, .memory_mb = memory_mb, .egress = egress, .thread_pool = thread_pool};
  }
  return {.runtime = runtime == Runtime::go ? Runtime::cpp : runtime, .memory_mb = 0, .egress = egress};
}

Stock::Stock(const std::vector<SandboxKind>& basics) {
  for (const auto& kind : basics) shelves_.push_back({.kind = kind, .least = least_of(kind), .wanted = least_of(kind)});
}

Stock::Shelf& Stock::shelf(const SandboxKind& kind) {
  const auto found = std::ranges::find(shelves_, kind, &Shelf::kind);
  if (found != shelves_.end()) return *found;
  return shelves_.emplace_back(Shelf{.kind = kind});
}

void Stock::launched(const SandboxKind& kind, bool found, SteadyTime now) {
  Shelf& asked = shelf(kind);
  asked.asked = now;
  asked.works = true;
  if (!found) asked.wanted = std::min(std::max(1, asked.wanted * 2), most_of(kind));
}

void Stock::failed(const SandboxKind& kind) {
  shelf(kind).works = false;
}

std::optional<SandboxKind> Stock::lacking(const Count& ready) {
  const auto found = std::ranges::find_if(
      shelves_, [&](const Shelf& shelf) { return shelf.works && ready(shelf.kind) < shelf.wanted; });
  return found == shelves_.end() ? std::nullopt : std::optional(found->kind);
}

std::optional<SandboxKind> Stock::short_of(const Count& ready) {
  const auto found = std::ranges::find_if(
      shelves_, [&](const Shelf& shelf) { return shelf.works && ready(shelf.kind) * 2 < shelf.wanted; });
  return found == shelves_.end() ? std::nullopt : std::optional(found->kind);
}

int Stock::wanted(const SandboxKind& kind) const {
  const auto found = std::ranges::find(shelves_, kind, &Shelf::kind);
  return found == shelves_.end() ? 0 : found->wanted;
}

std::optional<SandboxKind> Stock::surplus(const Count& ready, SteadyTime now) {
  for (auto& shelf : shelves_) {
    if (now - shelf.asked >= kMemory) shelf.wanted = shelf.least;
  }
  std::erase_if(shelves_, [&](const Shelf& shelf) { return shelf.wanted == 0 && ready(shelf.kind) == 0; });
  const auto found =
      std::ranges::find_if(shelves_, [&](const Shelf& shelf) { return ready(shelf.kind) > shelf.wanted; });
  return found == shelves_.end() ? std::nullopt : std::optional(found->kind);
}

}  // namespace infra::worker
