// The files of a function's folder, as they go into its bundle; and what runtime they are of.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/failure.h"

namespace infra::cli {

struct CodeFile {
  std::string path;  // in the bundle
  std::filesystem::path source;
  std::uint64_t size = 0;
  bool is_executable = false;
  bool is_link = false;
};

struct CodeFolder {
  std::vector<CodeFile> files;                 // by path, so that the same files make the same ZIP
  std::vector<std::filesystem::path> folders;  // that were looked into
  [[nodiscard]] std::uint64_t size() const;
};

// All that .infraignore leaves. A failure names what can't be read, or can't be in a bundle.
[[nodiscard]] Outcome<CodeFolder> read_code_folder(const std::filesystem::path& folder);

// Of the entry files at the root; nullopt if there is none, or of more than one.
[[nodiscard]] std::optional<std::string> guess_runtime(const std::vector<std::string>& paths);

// What is in a ZIP, by its directory; empty if it is none, which the platform then says.
[[nodiscard]] std::vector<std::string> paths_in_zip(const std::filesystem::path& zip);

}  // namespace infra::cli
