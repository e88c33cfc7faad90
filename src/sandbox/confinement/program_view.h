// What the program itself sees of the machine's files, once it has what it starts with: its data folder, and what its
// libraries read.
#pragma once

#include <filesystem>
#include <vector>

#include "core/error.h"

namespace infra::sandbox {

struct ProgramView {
  int data;                                      // a descriptor of the data folder
  std::filesystem::path data_path;               // absolute; where it is shown, whatever stands above it
  std::vector<std::filesystem::path> folders{};  // absolute; shown as well, read-only
};

// For a process with one thread, and CAP_SYS_ADMIN. Folders are shown, not files: who puts a new file in the old one's
// place (resolv.conf, certificates) is seen.
[[nodiscard]] Result<void> enter_view(const ProgramView& view);

}  // namespace infra::sandbox
