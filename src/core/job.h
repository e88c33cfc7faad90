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

template <>
inline constexpr RunMode kLastOf<RunMode> = RunMode::async;

struct Job : FunctionSettings {  // those that travel with it (SettingField::in_job)
  RequestId request_id;
  FunctionId function_id;
  CodeRef code;
  std::string input = "{}";  // JSON text, valid
  std::string model_id;      // empty: the node's default
  RunMode mode = RunMode::sync;
  std::string reply_to;  // the channel that the waiting controller listens on; empty on one machine
  WallTime accepted_at;
  std::string traceparent;  // W3C trace context, as to_traceparent() writes it; empty: a reference controller's job
  bool operator==(const Job&) const = default;
};

}  // namespace infra
