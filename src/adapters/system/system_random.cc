// getrandom(2) in pieces that are kept per thread, because an id is needed with every request and costs a system call
// otherwise.
#include "adapters/system/system_random.h"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace infra {

namespace {

void fill_from_kernel(std::span<std::byte> out) {
  while (!out.empty()) {
    const ssize_t got = getrandom(out.data(), out.size(), 0);
    if (got < 0) {
      if (errno == EINTR) continue;
      throw std::system_error(errno, std::generic_category(), "getrandom");
    }
    out = out.subspan(static_cast<std::size_t>(got));
  }
}

// Must not be used on both sides of a fork. The spawner forks before any thread has one.
struct Reserve {
  std::array<std::byte, 256> bytes;  // getrandom never returns fewer than asked up to this size
  std::size_t used = sizeof(bytes);
};
thread_local Reserve reserve;

}  // namespace

void SystemRandom::fill(std::span<std::byte> out) {
  if (out.size() > reserve.bytes.size()) return fill_from_kernel(out);
  if (out.size() > reserve.bytes.size() - reserve.used) {
    fill_from_kernel(reserve.bytes);
    reserve.used = 0;
  }
  const std::span<std::byte> piece = std::span(reserve.bytes).subspan(reserve.used, out.size());
  std::ranges::copy(piece, out.begin());
  std::ranges::fill(piece, std::byte{0});  // what was given out can't be read here again
  reserve.used += out.size();
}

}  // namespace infra
