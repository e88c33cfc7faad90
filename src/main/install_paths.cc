#include "main/install_paths.h"

#include <fmt/format.h>

#include <cstdlib>
#include <string_view>
#include <utility>

#include "core/operator_error_codes.h"

namespace infra {
namespace {

namespace fs = std::filesystem;

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

fs::path program_folder() {
  std::error_code error;
  const auto program = fs::read_symlink("/proc/self/exe", error);
  return error ? fs::path("/usr/bin") : program.parent_path();
}

// build/<preset>/infra
fs::path source_tree() {
  return program_folder().parent_path().parent_path();
}

struct Places {
  // `where`: as the build gives it (INFRA_INSTALLED_…), from the program's folder.
  Places(const char* where, fs::path in_the_build)
      : installed((program_folder() / where).lexically_normal()), built(std::move(in_the_build)) {}

  // The installed one if it is there, and has `proof`: what tells the right folder from another of its name.
  [[nodiscard]] fs::path best(const fs::path& proof = {}) const {
    return is_there(proof.empty() ? installed : installed / proof) ? installed : built;
  }

  fs::path installed;
  fs::path built;
};

}  // namespace

Result<fs::path> runtimes_folder() {
  const Places places(INFRA_INSTALLED_RUNTIMES, source_tree() / "runtimes");
  constexpr const char* kProof = "python/runner.py";
  if (fs::path best = places.best(kProof); is_there(best / kProof)) return best;
  return fail(
      errors::runtimes_missing,
      fmt::format("The runtimes folder is neither at {} nor at {}; keep the program where it was built or installed.",
                  places.installed.string(), places.built.string()));
}

fs::path native_runner_folder() {
  return Places(INFRA_INSTALLED_NATIVE, program_folder() / "native").best("runner");
}

fs::path spawner_program() {
  return Places(INFRA_INSTALLED_SPAWNER, program_folder() / "infra-spawner").best();
}

fs::path zygote_library() {
  return Places(INFRA_INSTALLED_ZYGOTE, program_folder() / "libinfra_zygote.so").best();
}

std::string program_command() {
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  const char* const folders = std::getenv("PATH");
  std::string_view left = folders == nullptr ? "" : folders;
  while (!error && !left.empty()) {
    const auto end = left.find(':');
    const fs::path candidate = fs::path(left.substr(0, end)) / "infra";
    std::error_code ignored;
    if (is_there(candidate)) return fs::equivalent(candidate, self, ignored) ? "infra" : self.string();
    left.remove_prefix(end == std::string_view::npos ? left.size() : end + 1);
  }
  return self.string();
}

fs::path examples_folder() {
  constexpr const char* kProof = "hello-python";
  fs::path best = Places(INFRA_INSTALLED_EXAMPLES, source_tree() / "examples").best(kProof);
  return is_there(best / kProof) ? best : fs::path();
}

}  // namespace infra
