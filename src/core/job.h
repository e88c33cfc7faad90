// A job: one execution of one version of a function, self-contained so that a worker needs no function row.
#pragma once

#include <cstdint>
#include <string>

#include "core/function.h"
#include "core/ids.h"
#include "core/time.h"

namespace infra {

enum class RunMode : std::uint8_t {
  sync,   // a client waits on the connection; a crash of ours breaks that connection too
  async,  // accepted with 202: must survive everything from then on
};

struct Job {
  RequestId request_id;
  FunctionId function_id;
  Runtime runtime = Runtime::python;
  int memory_mb = limits::kDefaultMemoryMb;
  milliseconds timeout = limits::kDefaultTimeout;
  Network network = Network::none;
  int keep_warm = 0;
  int max_concurrency = 0;  // 0: no limit
  CodeRef code;
  std::string input = "{}";  // JSON text, valid
  std::string model_id;      // empty: the node's default
  Environment env;
  RunMode mode = RunMode::sync;
  std::string reply_to;  // the channel that the waiting controller listens on; empty on one machine
  WallTime accepted_at;
  std::string traceparent;  // W3C trace context, empty if the client sent none
  bool operator==(const Job&) const = default;
};

}  // namespace infra
