// How many descriptors this process may have open, and has.
#pragma once

#include <cstddef>

namespace infra::sandbox {

[[nodiscard]] std::size_t descriptor_limit();
// One system call on Linux 6.2 and later; else a look through /proc/self/fd.
[[nodiscard]] std::size_t open_descriptors();

}  // namespace infra::sandbox
