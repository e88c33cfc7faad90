// Makes code ready for its first run when it is uploaded, where a worker is beside the controller. In a fleet there is
// none, and each worker that runs the function does so before it.
#pragma once

#include <filesystem>
#include <string>

#include "core/error.h"
#include "core/runtime.h"
#include "core/task.h"

namespace infra {

class BundlePreparer {
 public:
  virtual ~BundlePreparer() = default;

  // Unpacks `bundle`, which has passed every rule, and compiles what is source. `unusable` (code compile_error) with
  // the compiler's words; any other failure says nothing of the code. Compilations of one `sender` wait for each other.
  virtual Task<Result<void>> prepare(std::filesystem::path bundle, std::string sha256, Runtime runtime,
                                     std::string sender) = 0;
};

}  // namespace infra
