// The folder that all embedded engines live in, taken by one program at a time: two on one database and one queue would
// run each other's jobs.
#pragma once

#include <filesystem>

#include "adapters/system/posix_file.h"

namespace infra {

// Holds the folder's lock until it is destroyed, or the program dies in whatever way.
class DataFolder {
 public:
  // Makes the folder (0700) if it is not there. `unavailable` with a sentence for the operator: whose it is if it can't
  // be written (code data_folder_unwritable), or which program has it (code data_folder_in_use).
  [[nodiscard]] static Result<DataFolder> open(const std::filesystem::path& path);
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  DataFolder(std::filesystem::path path, Descriptor lock) : path_(std::move(path)), lock_(std::move(lock)) {}
  std::filesystem::path path_;
  Descriptor lock_;
};

}  // namespace infra
