// Compiles code when it is uploaded, where a worker is beside the controller: what does not compile is then refused at
// once. In a fleet there is none, and the first worker that runs the function compiles it.
#pragma once

#include <filesystem>
#include <string>

#include "core/error.h"
#include "core/function.h"
#include "core/task.h"

namespace infra {

class BundleCompiler {
 public:
  virtual ~BundleCompiler() = default;

  // `bundle` has passed every rule and is_compiled(runtime). A ready binary in it is unpacked ahead of its first run.
  // `unusable` (code compile_error) with the compiler's words; any other failure says nothing of the code.
  virtual Task<Result<void>> compile(std::filesystem::path bundle, std::string sha256, Runtime runtime) = 0;
};

}  // namespace infra
