// How output files get out of a sandbox. The worker can neither enter the sandbox nor read files of its user, and what
// runs beside the function's code is not to be trusted; so init, which the function can't reach, opens them on request
// and passes the descriptors over a socket of its own.
#pragma once

#include <chrono>

#include "core/error.h"
#include "sandbox/protocol/output_files.h"

namespace infra::sandbox {

// Init's part.
struct OutputServer {
  UniqueFd folder;
  UniqueFd requests;  // SOCK_SEQPACKET; closed: no request will come any more
};

// The worker's.
struct OutputClient {
  UniqueFd folder;  // read only, to see whether there is anything to ask for
  UniqueFd requests;
};

struct OutputLine {
  OutputServer server;
  OutputClient client;
};

[[nodiscard]] Result<OutputLine> open_output_line(const char* folder);

// Answers one request; call it when `requests` can be read. Closes `requests` when the worker has gone.
void serve_output(OutputServer& server);

// Empties the folder and gives what was in it. Asks only if there is something. Blocking, for `patience` at most: then
// `emptied` is false, one entry says out_of_reach, and the line is of no more use.
[[nodiscard]] OutputTree request_output(const OutputClient& client, std::chrono::milliseconds patience);

}  // namespace infra::sandbox
