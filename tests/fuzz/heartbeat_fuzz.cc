// Workers' heartbeats in Redis, ours and a reference worker's: what is read has its numbers in their bounds, and reads
// the same when it is written again.
#include <string>

#include "adapters/redis/heartbeat_text.h"
#include "fuzz/target.h"

namespace infra::fuzz {
namespace {

constexpr WallTime kNow{milliseconds{1'800'000'000'000}};

void check_beat(const Heartbeat& beat) {
  require(beat.active_jobs >= 0 && beat.active_jobs <= 1'000'000, "a worker has so many jobs");
  for (const auto& [_, count] : beat.pools) require(count >= 0 && count <= 1'000'000, "a pool has so many instances");
  const std::string text = unreceived_text(beat);
  const auto again = read_heartbeat(beat.worker_id, text + ",\"receivedAt\":0}", kNow, kNow);
  require(again && unreceived_text(*again) == text, "a heartbeat that is written is read");
}

void read_beats(std::string_view text) {
  if (const auto beat = read_heartbeat({"w"}, text, kNow, kNow)) check_beat(*beat);
  if (const auto beat = read_reference_heartbeat(text, kNow)) check_beat(*beat);
}

}  // namespace

INFRA_FUZZ_TARGET(heartbeat, read_beats);

}  // namespace infra::fuzz
