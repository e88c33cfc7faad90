// The machine that the program runs on, as far as it asks: a simulation says what it likes, and the same each time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "adapters/files/disk_space.h"

namespace infra {

// The functions: any thread.
struct HostMachine {
  std::string name;
  int processors = 1;  // 1 at least
  std::int64_t memory_mb = 0;
  std::size_t descriptor_limit = 0;
  std::function<std::size_t()> open_descriptors{};  // of this process; one system call
  std::function<bool()> short_of_memory{};          // reads a file
  DiskSpace::Ask disk{};                            // blocks for a system call
};

// The real one, as it is when it is asked.
[[nodiscard]] HostMachine this_machine();

}  // namespace infra
