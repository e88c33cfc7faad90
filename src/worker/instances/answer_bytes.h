// What answers of functions may hold of this program's memory at a time: one sum for all that runners say, what becomes
// of it until it is kept, and their output files on the way into the store.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/limits.h"

namespace infra::worker {

inline constexpr std::uint64_t kAnswerBytes = 64 * limits::kMiB;
inline constexpr std::uint64_t kFilePiece =
    std::uint64_t{64} * 1024;  // of an output file, as CodeStore::put_file holds it

// What is left for frames: a run puts one file away at a time, and has its part of the sum for that before it begins.
// So it waits for no memory while it holds some.
[[nodiscard]] constexpr std::uint64_t frame_bytes(int runs) {
  const std::uint64_t for_files = static_cast<std::uint64_t>(runs) * kFilePiece;
  return kAnswerBytes - std::min(for_files, kAnswerBytes / 2);
}

}  // namespace infra::worker
