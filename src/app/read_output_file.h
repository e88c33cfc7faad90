// A file that one of a function's runs left in /output.
#pragma once

#include <string>

#include "ports/code_store.h"
#include "ports/function_store.h"

namespace infra::app {

class ReadOutputFile {
 public:
  ReadOutputFile(FunctionStore& functions, CodeStore& code) : functions_(functions), code_(code) {}

  // not_found: no such function; or no such file, or it has expired (code output_file_not_found).
  Task<Result<ByteSourcePtr>> open(FunctionId function, RequestId request, std::string name);

 private:
  FunctionStore& functions_;
  CodeStore& code_;
};

}  // namespace infra::app
