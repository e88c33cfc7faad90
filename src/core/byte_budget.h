// One sum of bytes for what many owners bring: taken before the bytes are read, given back when the last of them is
// gone. Who does not fit waits in line and reads nothing meanwhile.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace infra {

class ByteLine;

// Bytes of a budget, or a place in its line. Going gives either back, also after the budget has gone. Any thread.
class ByteClaim {
 public:
  ByteClaim(std::shared_ptr<ByteLine> line, std::string owner, std::uint64_t bytes, std::function<void()> on_granted);
  ~ByteClaim();
  ByteClaim(const ByteClaim&) = delete;
  ByteClaim& operator=(const ByteClaim&) = delete;

  [[nodiscard]] bool granted() const;

 private:
  friend class ByteLine;

  const std::shared_ptr<ByteLine> line_;
  const std::string owner_;
  const std::uint64_t bytes_;
  const std::function<void()> on_granted_;
  // Guarded by the line's mutex.
  bool granted_ = false;
  bool waits_ = false;  // it was not granted at once
};

// Any thread.
class ByteBudget {
 public:
  explicit ByteBudget(std::uint64_t capacity);

  // Granted at once if nobody waits who comes before and there is room; else `on_granted` is called, once, from
  // whatever thread makes room: it must neither block nor call the budget. More than the capacity counts as all of it.
  //
  // Who holds nothing comes before who holds something, and each of them as they came. An owner who holds something
  // gets no more than makes half of the budget.
  [[nodiscard]] std::shared_ptr<const ByteClaim> claim(std::string_view owner, std::uint64_t bytes,
                                                       std::function<void()> on_granted);

  struct Use {
    std::uint64_t bytes = 0;
    std::uint64_t waiting = 0;       // claims
    std::uint64_t waited_total = 0;  // claims that were not granted at once, since the start
  };
  [[nodiscard]] Use use() const;

 private:
  std::shared_ptr<ByteLine> line_;
};

}  // namespace infra
