// Workers' heartbeats as Redis keeps them: ours, one a worker, and the one that a reference worker writes over and
// over.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/time.h"
#include "ports/worker_registry.h"

namespace infra {

// A JSON object but for its end, which is the time of the server that takes it: `,"receivedAt":…}`.
[[nodiscard]] std::string unreceived_text(const Heartbeat& beat);

// What is missing or of another type is as good as absent; nullopt if the text is no JSON object. Its age is by the
// server's clock, its time by ours.
[[nodiscard]] std::optional<Heartbeat> read_heartbeat(WorkerId id, std::string_view text, WallTime server_now,
                                                      WallTime now);
[[nodiscard]] std::optional<Heartbeat> read_reference_heartbeat(std::string_view text, WallTime now);

}  // namespace infra
