// The runner that the memory image is taken of: a child of the zygote that goes through a call as every runner does, of
// a function of our own.
#pragma once

#include <sys/types.h>

#include "core/error.h"
#include "sandbox/system/unique_fd.h"

namespace infra::sandbox {

struct ModelRunner {
  pid_t pid = -1;    // 0 in the model itself
  UniqueFd control;  // its worker's end
};

// Forks it, with a call in its socket. In the model nothing is left but to serve that.
[[nodiscard]] Result<ModelRunner> fork_model_runner();

// Waits until it has ended. Fails if it did not come to its end, or not in time.
[[nodiscard]] Result<void> await_model_runner(ModelRunner model);

}  // namespace infra::sandbox
