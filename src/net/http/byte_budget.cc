#include "net/http/byte_budget.h"

#include <algorithm>
#include <utility>

namespace infra::net {
namespace {

constexpr std::uint64_t kSteps = 16;

// What a coroutine has asked for, given back if it is destroyed while it waits.
template <typename End>
class OnEnd {
 public:
  explicit OnEnd(End end) : end_(std::move(end)) {}
  ~OnEnd() { end_(); }
  OnEnd(const OnEnd&) = delete;
  OnEnd& operator=(const OnEnd&) = delete;

 private:
  End end_;
};

}  // namespace

ByteBudget::ByteBudget(std::uint64_t most, std::function<void(double)> on_change, std::function<void()> on_short)
    : most_(std::max<std::uint64_t>(most, 1)), on_change_(std::move(on_change)), on_short_(std::move(on_short)) {}

// More than there is at all is given to whoever is alone.
bool ByteBudget::fits(std::uint64_t bytes) {
  std::uint64_t used = used_.load();
  do {
    if (used != 0 && (used > most_ || bytes > most_ - used)) return false;
  } while (!used_.compare_exchange_weak(used, used + bytes));
  tell(used + bytes);
  return true;
}

bool ByteBudget::try_take(std::uint64_t bytes) {
  return waiting_ == 0 && fits(bytes);
}

Task<bool> ByteBudget::take(std::uint64_t bytes, SteadyTime deadline) {
  const auto waiter = std::make_shared<Waiter>();
  waiter->bytes = bytes;
  {
    const MutexLock lock(mutex_);
    ++waiting_;
    line_.push_back(waiter);
  }
  bool kept = false;
  const OnEnd leave([&] {
    bool unused = false;
    {
      const MutexLock lock(mutex_);
      if (std::erase(line_, waiter) > 0) --waiting_;
      unused = waiter->has && !kept;
    }
    if (unused) give_back(bytes);
  });
  serve_line();
  if (on_short_) on_short_();
  (void)co_await waiter->granted->wait_until(deadline);
  const MutexLock lock(mutex_);
  kept = waiter->has;
  co_return kept;
}

void ByteBudget::take_anyway(std::uint64_t bytes) {
  tell(used_ += bytes);
  if (used_ > most_ && on_short_) on_short_();
}

void ByteBudget::give_back(std::uint64_t bytes) {
  if (bytes == 0) return;
  tell(used_ -= bytes);
  if (waiting_ != 0) serve_line();
}

void ByteBudget::serve_line() {
  const MutexLock lock(mutex_);
  while (!line_.empty() && fits(line_.front()->bytes)) {
    line_.front()->has = true;
    line_.front()->granted->notify();
    line_.pop_front();
    --waiting_;
  }
}

void ByteBudget::tell(std::uint64_t used) {
  const std::uint64_t step = used * kSteps / most_;
  if (!on_change_ || told_.load(std::memory_order_relaxed) == step) return;
  told_.store(step, std::memory_order_relaxed);
  on_change_(static_cast<double>(used) / static_cast<double>(most_));
}

}  // namespace infra::net
