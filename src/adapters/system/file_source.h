// A stored file that is read part by part, as its reader wants it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "adapters/system/posix_file.h"
#include "core/byte_source.h"
#include "ports/executor.h"

namespace infra {

// Blocks: for the blocking pool. `not_found` (code object_not_found). A file that is replaced or removed meanwhile is
// read to its end all the same. The executor must outlive the source.
[[nodiscard]] Result<ByteSourcePtr> open_file_source(const std::filesystem::path& path, Executor& executor);

// The first `size` bytes of an open file, which is shared: each source has a place of its own in it.
[[nodiscard]] ByteSourcePtr make_file_source(std::shared_ptr<const Descriptor> file, std::uint64_t size,
                                             Executor& executor);

}  // namespace infra
