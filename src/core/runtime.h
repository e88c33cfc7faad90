// The runtimes, a row of traits each: what a runtime is to the platform. A new one is a row here, its number at the
// end, and a runner in runtimes/. The privileged programs read the table too, so all of it is in this header.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/enum_number.h"

namespace infra {

enum class Runtime : std::uint8_t { python, nodejs, cpp, go };  // stored by number
template <>
inline constexpr Runtime kLastOf<Runtime> = Runtime::go;

struct Interpreter {
  std::string_view name;
  std::string_view program;                   // below /usr, which is what a sandbox sees
  std::array<std::string_view, 3> options{};  // those before the script
  std::string_view variable{};                // NAME=value, the only one of its environment; empty: none
};

inline constexpr Interpreter kPythonInterpreter{"Python", "/usr/bin/python3", {"-I", "-B", "-u"}};
// glibc's malloc for Node.js. By its own rules it gives the end of its heap back whenever 128 KiB of that are free and
// asks for it again at once, some twenty times a boot, as V8 frees so much after each compilation; and it maps, faults
// in and unmaps every larger Buffer anew. Few arenas: each of Node.js's threads would get one and keep as much.
inline constexpr Interpreter kNodeInterpreter{
    "Node.js",
    "/usr/bin/node",
    {},
    "GLIBC_TUNABLES=glibc.malloc.arena_max=2:glibc.malloc.top_pad=1048576:"
    "glibc.malloc.mmap_threshold=8388608:glibc.malloc.trim_threshold=16777216"};

// The entry file of a function that comes compiled.
inline constexpr std::string_view kReadyBinary = "main";

struct RuntimeTraits {
  Runtime runtime;
  std::string_view name;  // in the API
  // Entry files at a bundle's root, the first choice first, and the suffixes by which sources of it are known.
  std::span<const std::string_view> entry_files;
  std::span<const std::string_view> source_suffixes;

  // Its functions are programs, which one runner runs (runtimes/native): they come as a ready binary, or as source for
  // a compiler of Debian's.
  std::string_view compiler{};
  std::string_view compiler_package{};

  // Else an interpreter runs them, with `runner` in the folder of runtimes/ that has the runtime's name.
  const Interpreter* interpreter = nullptr;
  std::string_view runner = "runner";
  // What gives the interpreter its heap's size; it has a pool of threads whose size is fixed at its start, too. Empty:
  // neither, and all sandboxes are alike at their start.
  std::string_view heap_option{};
  bool forked = false;  // from an interpreter that is there already (sandbox/zygote), where that is ready
  bool rests = false;   // its runner gives memory back when it is told that no call follows soon

  // How many sandboxes wait for a function: always, and at most, where more were asked for lately. They wait as this
  // runtime's: those of compiled functions are all alike.
  Runtime waits_as;
  int least_waiting = 0;
  int most_waiting = 0;

  // Whether threads that a call leaves behind are the function's doing. Go starts some of its own at any time, and so
  // do Python's native modules (there the runner says what Python itself started).
  bool counts_threads = false;
  // How it prints the two truth values.
  std::string_view true_text = "true";
  std::string_view false_text = "false";
};

namespace runtime_files {

inline constexpr std::array<std::string_view, 1> python_entries{"main.py"};
inline constexpr std::array<std::string_view, 1> python_sources{".py"};
inline constexpr std::array<std::string_view, 2> nodejs_entries{"index.js", "index.mjs"};
inline constexpr std::array<std::string_view, 8> nodejs_sources{".js",  ".mjs", ".cjs", ".ts",
                                                                ".mts", ".cts", ".tsx", ".jsx"};
inline constexpr std::array<std::string_view, 2> cpp_entries{"main.cpp", kReadyBinary};
inline constexpr std::array<std::string_view, 4> cpp_sources{".cpp", ".cc", ".cxx", ".c"};
inline constexpr std::array<std::string_view, 2> go_entries{"main.go", kReadyBinary};
inline constexpr std::array<std::string_view, 1> go_sources{".go"};

}  // namespace runtime_files

// By number. A booted Node.js that waits costs some 20 MB and 0.1 s of CPU, the others little of either.
inline constexpr std::array kRuntimes = {
    RuntimeTraits{.runtime = Runtime::python,
                  .name = "python",
                  .entry_files = runtime_files::python_entries,
                  .source_suffixes = runtime_files::python_sources,
                  .interpreter = &kPythonInterpreter,
                  .runner = "runner.py",
                  .forked = true,
                  .rests = true,
                  .waits_as = Runtime::python,
                  .least_waiting = 2,
                  .most_waiting = 16,
                  .true_text = "True",
                  .false_text = "False"},
    RuntimeTraits{.runtime = Runtime::nodejs,
                  .name = "nodejs",
                  .entry_files = runtime_files::nodejs_entries,
                  .source_suffixes = runtime_files::nodejs_sources,
                  .interpreter = &kNodeInterpreter,
                  .runner = "runner.js",
                  .heap_option = "--max-old-space-size=",
                  .waits_as = Runtime::nodejs,
                  .least_waiting = 1,
                  .most_waiting = 4,
                  .counts_threads = true},
    RuntimeTraits{.runtime = Runtime::cpp,
                  .name = "cpp",
                  .entry_files = runtime_files::cpp_entries,
                  .source_suffixes = runtime_files::cpp_sources,
                  .compiler = "g++",
                  .compiler_package = "g++",
                  .waits_as = Runtime::cpp,
                  .least_waiting = 2,
                  .most_waiting = 16,
                  .counts_threads = true},
    RuntimeTraits{.runtime = Runtime::go,
                  .name = "go",
                  .entry_files = runtime_files::go_entries,
                  .source_suffixes = runtime_files::go_sources,
                  .compiler = "go",
                  .compiler_package = "golang-go",
                  .waits_as = Runtime::cpp},
};

static_assert(kRuntimes.size() == std::to_underlying(kLastOf<Runtime>) + std::size_t{1});
static_assert(std::ranges::all_of(kRuntimes, [](const RuntimeTraits& row) {
  return &row - kRuntimes.data() == std::to_underlying(row.runtime);
}));

[[nodiscard]] constexpr const RuntimeTraits& traits_of(Runtime runtime) {
  return kRuntimes[std::to_underlying(runtime)];
}

[[nodiscard]] constexpr std::string_view to_string(Runtime runtime) {
  return traits_of(runtime).name;
}
[[nodiscard]] constexpr bool is_compiled(Runtime runtime) {
  return traits_of(runtime).interpreter == nullptr;
}
// Whether its heap and threads are fixed when its interpreter starts.
[[nodiscard]] constexpr bool is_sized_at_start(Runtime runtime) {
  return !traits_of(runtime).heap_option.empty();
}

[[nodiscard]] constexpr std::optional<Runtime> parse_runtime(std::string_view text) {
  const auto* const found = std::ranges::find(kRuntimes, text, &RuntimeTraits::name);
  return found == kRuntimes.end() ? std::nullopt : std::optional(found->runtime);
}

// An argument list that has `interpreter`, which is at `program` on this machine, run a script.
[[nodiscard]] inline std::vector<std::string> command_for(const Interpreter& interpreter, std::string program,
                                                          std::string script) {
  std::vector<std::string> command{std::move(program)};
  for (const auto option : interpreter.options) {
    if (!option.empty()) command.emplace_back(option);
  }
  command.push_back(std::move(script));
  return command;
}

}  // namespace infra
