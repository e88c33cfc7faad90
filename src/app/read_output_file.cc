#include "app/read_output_file.h"

#include "core/error_codes.h"
#include "core/limits.h"
#include "core/object_keys.h"

namespace infra::app {

// The log row is not asked for: it may be written a moment after its run was answered.
Task<Result<ByteSourcePtr>> ReadOutputFile::open(FunctionId function, RequestId request, std::string name) {
  if (const auto row = co_await functions_.find(function); !row) co_return fail(row.error());
  // The last start that kept anything: the ones before it lost the job.
  for (int attempt = limits::kMaxReceives; attempt > 0; --attempt) {
    auto file = co_await code_.open_object(output_key(function, request, name, attempt));
    if (file || file.error().kind == ErrorKind::unavailable) co_return file;
  }
  co_return fail(
      errors::output_file_not_found,
      "This run left no output file of that name, or it has expired (they are kept for 30 days) or made room for "
      "newer ones.");
}

}  // namespace infra::app
