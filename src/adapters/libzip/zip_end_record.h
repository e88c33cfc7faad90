// The record at the end of a ZIP, read before the ZIP library is let near the file: the library reads a whole directory
// into memory before one can ask how long it is.
#pragma once

#include <cstdint>
#include <optional>

namespace infra {

struct ZipEndRecord {
  std::uint64_t entries = 0;
  std::uint64_t directory_bytes = 0;
};

// Nullopt if the file has none in the place where the format puts it (PKWARE APPNOTE 4.3.14 to 4.3.16, ZIP64 included).
[[nodiscard]] std::optional<ZipEndRecord> read_zip_end_record(int file, std::uint64_t file_bytes);

}  // namespace infra
