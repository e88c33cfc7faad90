// Credentials and tokens in files: read whole, away from the event threads.
#pragma once

#include <string>

#include "core/error.h"
#include "core/task.h"
#include "ports/executor.h"

namespace infra::aws {

// `not_found` if there is none, `unavailable` if it can't be read or has more than 1 MiB. The message names the file.
Task<Result<std::string>> read_small_file(Executor& executor, std::string path);

}  // namespace infra::aws
