#include "sandbox/spawner/lock_flood.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace infra::sandbox {

LockFlood::LockFlood() : count_(::open("/sys/kernel/slab/file_lock_cache/objects", O_RDONLY | O_CLOEXEC)) {
  usual_ = count();
}

// "1234 N0=1234": of all nodes, then of each.
std::int64_t LockFlood::count() const {
  std::array<char, 256> text{};
  const ssize_t got = ::pread(count_.get(), text.data(), text.size(), 0);
  std::int64_t number = 0;
  std::from_chars(text.data(), text.data() + std::max<ssize_t>(got, 0), number);
  return number;
}

bool LockFlood::is_on(SteadyTime now) {
  if (!can_tell() || now - looked_ < kPause) return false;
  looked_ = now;
  const std::int64_t now_there = count();
  usual_ = std::min(usual_, now_there);
  return now_there - usual_ > kMostMore;
}

}  // namespace infra::sandbox
