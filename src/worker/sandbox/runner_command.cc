#include "worker/sandbox/runner_command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

namespace infra::worker {
namespace {

// Node.js sees the machine's memory, not the sandbox's. What is left beside the heap is node itself and its buffers.
int node_heap_mb(int memory_mb) {
  return std::max(memory_mb / 2, memory_mb - 96);
}

Result<std::string> interpreter(const std::filesystem::path& program, std::string_view runtime) {
  std::error_code error;
  std::string real = std::filesystem::canonical(program, error).string();
  if (error) {
    return fail(ErrorKind::unavailable, "sandbox_failed",
                fmt::format("{} is not installed on this worker: {} is missing", runtime, program.string()));
  }
  if (!real.starts_with("/usr/") || real.starts_with("/usr/local/")) {
    return fail(
        ErrorKind::unavailable, "sandbox_failed",
        fmt::format("{} is at {}, but a sandbox sees only what is below /usr and not below /usr/local", runtime, real));
  }
  return real;
}

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

std::filesystem::path runner_folder(const SpawnerOptions& options, LaunchPurpose purpose, Runtime runtime) {
  if (purpose == LaunchPurpose::build) return options.runners;  // with the headers and modules that builds find
  if (runtime == Runtime::python) return options.runners / "python";
  return runtime == Runtime::nodejs ? options.runners / "nodejs" : options.native_runner;
}

Result<RunnerCommand> runner_command(const SpawnerOptions& options, Runtime runtime, int memory_mb) {
  if (runtime == Runtime::python) {
    auto program = interpreter(options.python, "Python");
    if (!program) return fail(program.error());
    return RunnerCommand{{*program, "-I", "-B", "-u", "/runtime/runner.py"}};
  }
  if (runtime == Runtime::nodejs) {
    auto program = interpreter(options.node, "Node.js");
    if (!program) return fail(program.error());
    return RunnerCommand{
        {*program, fmt::format("--max-old-space-size={}", node_heap_mb(memory_mb)), "/runtime/runner.js"}};
  }
  std::error_code error;
  if (!std::filesystem::exists(options.native_runner / "runner", error)) {
    return fail(ErrorKind::unavailable, "sandbox_failed",
                fmt::format("the runner of compiled functions is missing: {}", options.native_runner.string()));
  }
  return RunnerCommand{{"/runtime/runner"}};
}

Result<RunnerCommand> launch_command(const SpawnerOptions& options, LaunchPurpose purpose, Runtime runtime,
                                     int memory_mb) {
  if (purpose == LaunchPurpose::run) return runner_command(options, runtime, memory_mb);
  if (runtime != Runtime::cpp && runtime != Runtime::go) {
    return fail(ErrorKind::invalid, "sandbox_failed", "only C++ and Go are compiled");
  }
  auto program = interpreter(options.python, "Python");
  if (!program) return fail(program.error());
  return RunnerCommand{{*program, "-I", "-B", "-u", "/runtime/build/builder.py", std::string(to_string(runtime))}};
}

std::string to_hex(const VersionHash& hash) {
  std::string text;
  for (const std::uint8_t byte : hash) text += fmt::format("{:02x}", byte);
  return text;
}

Result<VersionHash> parse_version(std::string_view text) {
  VersionHash hash{};
  bool valid = text.size() == hash.size() * 2;
  for (std::size_t i = 0; valid && i < hash.size(); ++i) {
    const int high = digit(text[2 * i]);
    const int low = digit(text[2 * i + 1]);
    valid = high >= 0 && low >= 0;
    if (valid) hash[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  if (!valid)
    return fail(ErrorKind::invalid, "invalid_version", "a version is named by 64 lower-case hexadecimal digits");
  return hash;
}

}  // namespace infra::worker
