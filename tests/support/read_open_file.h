// CodeStore::put_file() for stores of tests, which keep texts.
#pragma once

#include <unistd.h>

#include <array>
#include <cstdint>
#include <string>

#include "core/operator_error_codes.h"
#include "core/sha256.h"
#include "ports/code_store.h"

namespace infra::testing {

// As read_in_pieces() (adapters/system/file_pieces.h) fails.
inline Result<std::string> read_open_file(int file, std::uint64_t max_bytes) {
  std::string bytes;
  std::array<char, 4096> piece{};
  while (true) {
    const ssize_t count = ::pread(file, piece.data(), piece.size(), static_cast<off_t>(bytes.size()));
    if (count < 0) return fail(errors::file_unreadable, "It can't be read.");
    if (count == 0) return bytes;
    bytes.append(piece.data(), static_cast<std::size_t>(count));
    if (bytes.size() > max_bytes) return fail(errors::object_too_large, "It is too large.");
  }
}

inline StoredFile stored_as(const std::string& bytes) {
  return {.size = bytes.size(), .sha256 = sha256_of(bytes)};
}

}  // namespace infra::testing
