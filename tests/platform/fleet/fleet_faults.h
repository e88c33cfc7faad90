// What may befall the engines of a simulated fleet, as a scenario names it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace infra::sim {

enum class FleetFault : std::uint8_t {
  sqs_copies,      // hands messages out twice, and what was deleted again
  sqs_reorders,    // in any order, and late
  sqs_forgets,     // receipts die
  sqs_polls,       // find less than there is, and take for callers that have gone
  sqs_fails,       // requests fail, before or after they are carried out
  dynamo_refuses,  // throttles, leaves keys of a batch out
  dynamo_fails,    // as sqs_fails
  dynamo_late,     // answers late or never; what was given up may be carried out later
  dynamo_stale,    // reads that need not be consistent are not
  s3_fails,        // as sqs_fails, and bodies are cut
  s3_slow,         // and throttles
  redis_drops,     // connections and messages on them are lost
  redis_late,      // commands arrive when their callers have given up
  redis_refuses,   // LOADING, READONLY, OOM
  redis_freezes,   // now and then it stands still
  redis_loses,     // it restarts empty, and fails over to an older replica
  cut_offs,        // workers reach no engine for a while
};
inline constexpr std::size_t kFleetFaults = 17;
[[nodiscard]] std::string_view to_string(FleetFault fault);

// What makes a scenario a fleet's.
struct FleetPart {
  int controllers = 2;
  int workers = 2;
  double share = 0.1;  // of requests, messages and rows that a fault befalls
  std::vector<FleetFault> faults;

  [[nodiscard]] bool has(FleetFault fault) const;
};
[[nodiscard]] std::string to_text(const FleetPart& fleet);

}  // namespace infra::sim
