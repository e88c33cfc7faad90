#include "worker/code/executables.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <vector>

#include "core/bundle_rules.h"
#include "core/error_codes.h"
#include "core/executable.h"
#include "core/system_errors.h"

namespace infra::worker {
namespace {

namespace fs = std::filesystem;

std::unexpected<Error> disk_failed(int error) {
  return disk_failure(error, errors::disk_failed,
                      fmt::format("The program could not be readied: {}.", std::strerror(error)));
}

std::string start_of(std::ifstream& file) {
  std::string start(kExecutableStart, '\0');
  file.read(start.data(), static_cast<std::streamsize>(start.size()));
  start.resize(static_cast<std::size_t>(file.gcount()));
  file.clear();
  file.seekg(0);
  return start;
}

// Piece by piece, each with the end of the one before: a program may have 250 MiB.
bool contains(std::ifstream& file, std::string_view marker) {
  std::vector<char> piece(1 << 20);
  std::size_t kept = 0;
  while (file.read(piece.data() + kept, static_cast<std::streamsize>(piece.size() - kept)), file.gcount() > 0) {
    const std::size_t size = kept + static_cast<std::size_t>(file.gcount());
    if (::memmem(piece.data(), size, marker.data(), marker.size()) != nullptr) return true;  // faster than find()
    kept = std::min(size, marker.size() - 1);
    std::memmove(piece.data(), piece.data() + size - kept, kept);
  }
  return false;
}

}  // namespace

Result<void> prepare_executable(const fs::path& folder, std::string_view program) {
  const fs::path path = folder / program;
  std::ifstream file(path, std::ios::binary);
  if (!file) return disk_failed(errno);
  if (auto checked = check_executable(start_of(file)); !checked) return checked;
  if (::chmod(path.c_str(), 0755) != 0) return disk_failed(errno);
  std::error_code error;
  fs::create_directory(folder / kOwnFolder, error);
  if (error) return disk_failed(error.value());
  if (contains(file, kWarmMarker) && !std::ofstream(folder / kWarmMark)) return disk_failed(errno);
  return {};
}

}  // namespace infra::worker
