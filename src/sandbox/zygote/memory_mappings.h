// The mappings of this process, as the kernel lists them: the memory image is made of them and laid over them. Nothing
// in here allocates.
#pragma once

#include <fcntl.h>
#include <sys/sysmacros.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

#include "sandbox/system/unique_fd.h"

namespace infra::sandbox {

inline constexpr std::size_t kPage = 4096;

inline char* at(std::uintptr_t address) {
  return reinterpret_cast<char*>(address);  // NOLINT(performance-no-int-to-ptr): that is how the kernel tells it
}

inline std::uintptr_t page_below(std::uintptr_t address) {
  return address & ~(kPage - 1);
}

struct Range {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
  [[nodiscard]] std::size_t size() const { return end - begin; }
};

struct Mapping {
  Range range;
  bool writable = false;  // and private
  bool executable = false;
  bool shared = false;
  bool stack = false;
  std::uint64_t offset = 0;  // in the file
  dev_t device = 0;
  ino_t inode = 0;
};

// A line such as "55e4a0000000-55e4a0021000 rw-p 00000000 00:01 1234   name".
inline std::optional<Mapping> parse_mapping(std::string_view line) {
  const char* next = line.data();
  const char* const end = line.data() + line.size();
  const auto number = [&](auto& value, int base) {
    const auto parsed = std::from_chars(next, end, value, base);
    next = std::min(parsed.ptr + 1, end);
    return parsed.ec == std::errc();
  };
  Mapping found;
  unsigned major = 0;
  unsigned minor = 0;
  if (!number(found.range.begin, 16) || !number(found.range.end, 16) || end - next < 5) return std::nullopt;
  found.writable = std::string_view(next, 4) == "rw-p";
  found.executable = next[2] == 'x';
  found.shared = next[3] == 's';
  next += 5;
  if (!number(found.offset, 16) || !number(major, 16) || !number(minor, 16) || !number(found.inode, 10))
    return std::nullopt;
  found.device = ::makedev(major, minor);
  found.stack = line.ends_with("[stack]");
  return found;
}

// Calls `each` for every mapping, in the order of addresses. False if the list can't be read.
template <typename Each>
bool each_mapping(Each each) {
  const UniqueFd list(::open("/proc/self/maps", O_RDONLY | O_CLOEXEC));
  std::array<char, 8192> buffer;  // a line has a path of 4 KiB at most
  std::size_t kept = 0;
  while (list.valid()) {
    const ssize_t got = ::read(list.get(), buffer.data() + kept, buffer.size() - kept);
    if (got <= 0) return got == 0;
    std::string_view text(buffer.data(), kept + static_cast<std::size_t>(got));
    for (auto end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
      if (const auto mapping = parse_mapping(text.substr(0, end))) each(*mapping);
      text.remove_prefix(end + 1);
    }
    kept = text.size();
    std::memmove(buffer.data(), text.data(), kept);
  }
  return false;
}

}  // namespace infra::sandbox
