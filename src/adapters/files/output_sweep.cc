#include "adapters/files/output_sweep.h"

#include <system_error>
#include <vector>

#include "core/ids.h"

namespace infra {
namespace {

namespace fs = std::filesystem;

// None if the folder is not there: most functions leave no files.
std::vector<fs::path> entries_of(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code failed;
  for (fs::directory_iterator entry(folder, failed), end; !failed && entry != end; entry.increment(failed))
    found.push_back(entry->path());
  return found;
}

}  // namespace

void sweep_outputs(const fs::path& folder, WallTime before) {
  std::error_code ignored;
  for (const auto& function : entries_of(folder)) {
    for (const auto& run : entries_of(function)) {
      const auto accepted = uuid_v7_time(run.filename().string());
      if (accepted && *accepted < before) fs::remove_all(run, ignored);
    }
    fs::remove(function, ignored);  // if it is empty by now
  }
}

}  // namespace infra
