#include "main/install_paths.h"

#include <fmt/format.h>

namespace infra {
namespace {

namespace fs = std::filesystem;

fs::path program_folder() {
  return fs::read_symlink("/proc/self/exe").parent_path();
}

// build/<preset>/infra
fs::path source_tree() {
  return program_folder().parent_path().parent_path();
}

}  // namespace

Result<fs::path> runtimes_folder() {
  const fs::path installed = program_folder().parent_path() / "share/infra/runtimes";
  const fs::path built = source_tree() / "runtimes";
  std::error_code ignored;
  for (const auto& folder : {installed, built}) {
    if (fs::exists(folder / "python/runner.py", ignored)) return folder;
  }
  return fail(
      ErrorKind::not_found, "runtimes_missing",
      fmt::format("The runtimes folder is neither at {} nor at {}; keep the program where it was built or installed.",
                  installed.string(), built.string()));
}

fs::path native_runner_folder() {
  fs::path installed = program_folder().parent_path() / "libexec/infra/native";
  std::error_code ignored;
  return fs::exists(installed / "runner", ignored) ? installed : program_folder() / "native";
}

fs::path spawner_program() {
  constexpr const char* kName = "infra-spawner";
  fs::path installed = program_folder().parent_path() / "libexec/infra" / kName;
  std::error_code ignored;
  return fs::exists(installed, ignored) ? installed : program_folder() / kName;
}

fs::path zygote_library() {
  constexpr const char* kName = "libinfra_zygote.so";
  fs::path installed = program_folder().parent_path() / "lib/infra" / kName;
  std::error_code ignored;
  return fs::exists(installed, ignored) ? installed : program_folder() / kName;
}

fs::path examples_folder() {
  const fs::path folder = source_tree() / "examples";
  std::error_code ignored;
  return fs::exists(folder / "hello-python", ignored) ? folder : fs::path();
}

}  // namespace infra
