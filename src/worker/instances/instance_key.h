// What makes instances interchangeable.
#pragma once

#include <compare>
#include <string>

#include "core/function.h"
#include "core/job.h"

namespace infra::worker {

// Instances are interchangeable when these are equal; never otherwise.
struct InstanceKey {
  FunctionId function_id;
  std::string sha256;
  Runtime runtime = Runtime::python;
  int memory_mb = 0;
  Network network = Network::none;
  Environment env{};  // a process reads some of it once, when it begins or loads the code
  auto operator<=>(const InstanceKey&) const = default;
};

// `sha256` is the code's, which a job need not say.
[[nodiscard]] inline InstanceKey key_of(const Job& job, std::string sha256) {
  return {.function_id = job.function_id,
          .sha256 = std::move(sha256),
          .runtime = job.runtime,
          .memory_mb = job.memory_mb,
          .network = job.network,
          .env = job.env};
}

[[nodiscard]] inline InstanceKey key_of(const Function& function) {
  return {.function_id = function.id,
          .sha256 = function.code.sha256,
          .runtime = function.runtime,
          .memory_mb = function.memory_mb,
          .network = function.network,
          .env = function.env};
}

}  // namespace infra::worker
