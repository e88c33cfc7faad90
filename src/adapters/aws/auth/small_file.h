// Credentials and tokens in files, read whole.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "core/error.h"
#include "core/task.h"
#include "ports/executor.h"

namespace infra::aws {

// Opens a file to read it: a descriptor, which is the caller's, or -errno. It may block. Any thread.
using OpenFile = std::function<int(const std::string& path)>;
[[nodiscard]] int open_plainly(const std::string& path);

// `not_found` if there is none, `unavailable` if it can't be read or has more than 1 MiB. The message names the file.
[[nodiscard]] Result<std::string> read_small_file(const OpenFile& open, const std::string& path);

class SmallFiles {
 public:
  SmallFiles(Executor& executor, OpenFile open = open_plainly)  // NOLINT(google-explicit-constructor): plain files
      : executor_(executor), open_(std::move(open)) {}
  // The same, away from the event thread.
  Task<Result<std::string>> read(std::string path);

 private:
  Executor& executor_;
  OpenFile open_;
};

}  // namespace infra::aws
