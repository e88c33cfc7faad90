// An open file on its way into a store, hashed piece by piece: others may write to it meanwhile, so what is hashed is
// what was read, and no part of it is read twice.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "adapters/system/posix_file.h"
#include "ports/code_store.h"

namespace infra {

inline constexpr std::size_t kFilePieceBytes = std::size_t{64} * 1024;  // in memory at a time

// A descriptor of one's own for `file`, which is closed elsewhere. Fails where it is past `max_bytes` already, as
// read_in_pieces() does.
[[nodiscard]] Result<std::shared_ptr<const Descriptor>> share_file(int file, std::uint64_t max_bytes);

// Gives all of `file`, from its first byte to its present end, to `take`. Blocks: for the blocking pool. Fails as
// CodeStore::put_file() does, or with what `take` says.
[[nodiscard]] Result<StoredFile> read_in_pieces(int file, std::uint64_t max_bytes,
                                                const std::function<Result<void>(std::span<const char>)>& take);

}  // namespace infra
