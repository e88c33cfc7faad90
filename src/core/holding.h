// What a part of the program holds of something that it counts and bounds, for whoever looks whether all of it comes
// back: at rest nothing is held.
#pragma once

#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

namespace infra {

struct Holding {
  std::string_view what;  // a literal; bytes are bytes where it says so
  std::uint64_t held = 0;
  std::uint64_t most = std::numeric_limits<std::uint64_t>::max();  // unbounded, or bounded elsewhere
  bool of_waiting = false;  // jobs that wait, perhaps for their lease's end: a stop leaves them
};
using Holdings = std::vector<Holding>;

}  // namespace infra
