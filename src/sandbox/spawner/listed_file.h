// What the program may not open itself: a file of the list that the spawner was started with.
#pragma once

#include "sandbox/protocol/spawner_options.h"
#include "sandbox/protocol/spawner_protocol.h"

namespace infra::sandbox {

// Answers an open_file request on `socket`. Its path is looked up anew each time, as the machine has it then: who puts
// another file in its place is seen. False if the program is gone.
bool answer_open_file(const SpawnerOptions& options, const SpawnerRequest& request, int socket);

// The whole of a spawner that makes no sandboxes: until the program's socket closes. It keeps the right to read, alone.
[[nodiscard]] Result<void> serve_files(const SpawnerOptions& options, int socket);

}  // namespace infra::sandbox
