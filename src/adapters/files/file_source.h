// A stored file that is read part by part, as its reader wants it.
#pragma once

#include <filesystem>

#include "adapters/system/posix_file.h"
#include "core/byte_source.h"
#include "ports/executor.h"

namespace infra {

// Blocks: for the blocking pool. `not_found` (code object_not_found). A file that is replaced or removed meanwhile is
// read to its end all the same. The executor must outlive the source.
[[nodiscard]] Result<ByteSourcePtr> open_file_source(const std::filesystem::path& path, Executor& executor);

}  // namespace infra
