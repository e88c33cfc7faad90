// What a spawner is started with.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <vector>

#include "sandbox/protocol/egress_options.h"

namespace infra::sandbox {

// How long one interpreter is forked from (zygotes.h).
struct ZygoteTerm {
  int forks = 1000;
  std::chrono::seconds life{600};
};

struct SpawnerOptions {
  std::filesystem::path program{};        // absolute; infra-spawner
  std::filesystem::path versions_root{};  // absolute, must exist; unpacked code is in <root>/<64 hex digits>/
  std::filesystem::path runners{};        // absolute; holds a folder for each interpreted runtime
  int slots = 0;                          // 1 to 4096; 0: kDefaultSlots
  uid_t base_uid = 1'000'000;             // slot n runs as uid and gid base + n
  std::filesystem::path native_runner{};  // absolute; the folder with the compiled functions' `runner`; may be missing
  // Python's runners are forked from an interpreter that has this library; empty: each executes one of its own.
  std::filesystem::path zygote_library{};
  ZygoteTerm zygote_term{};
  std::filesystem::path python_packages{};  // absolute; what all Python functions can import; empty: nothing
  EgressOptions egress{};
  // Absolute; what the program may have opened for it, by their numbers here: keys and credentials that root alone
  // reads.
  std::vector<std::filesystem::path> files{};
  bool only_files = false;  // nothing else: a program that runs no functions
};

// Instances, most of them idle. What an idle one holds bounds their number in practice: a megabyte of Python, twenty of
// Node.js.
inline constexpr int kDefaultSlots = 1024;

}  // namespace infra::sandbox
