// What a piece of work allocates, whoever in this process does it: for test programs of their own, since linking this
// library counts every allocation.
#pragma once

#include <cstddef>

namespace infra::testing {

// One at a time.
class CountedHeap {
 public:
  void begin();
  // Bytes: the most that was allocated since begin(), less what was then.
  [[nodiscard]] std::size_t most() const;

 private:
  std::size_t before_ = 0;
};

}  // namespace infra::testing
