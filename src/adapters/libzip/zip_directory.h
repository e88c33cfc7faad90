// Finds a ZIP in a file, and reads its directory in bounds, before the ZIP library is let near it: the library would
// read every directory that the file's last 64 KiB point to, however long, before one can ask which it took.
#pragma once

#include <cstdint>
#include <string>

#include "core/error.h"

namespace infra {

struct ZipDirectory {
  std::uint64_t start = 0;    // where the archive begins: a self-extracting one has a program in front
  std::uint64_t offset = 0;   // of the directory, from `start`
  std::uint64_t entries = 0;  // at most limits::kMaxEntries, and `bytes` holds as many
  std::string bytes;
};

// The archive whose record ends the file with its comment; else, as other tools do, the last one that has a directory,
// with anything behind it. `invalid`: not_a_zip, bundle_too_many_entries, or invalid_bundle_path for a name that the
// library could not tell truly. (PKWARE APPNOTE 4.3.12 to 4.3.16, ZIP64 included.)
[[nodiscard]] Result<ZipDirectory> read_zip_directory(int file, std::uint64_t file_bytes);

}  // namespace infra
