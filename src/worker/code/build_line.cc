#include "worker/code/build_line.h"

#include <algorithm>
#include <chrono>

#include "core/error_codes.h"

namespace infra::worker {
namespace {

constexpr std::chrono::seconds kComeBack{5};

}  // namespace

// A place in the line, which a coroutine that is destroyed while it waits gives up.
class BuildLine::Waiting {
 public:
  Waiting(BuildLine& line, std::string sender, std::shared_ptr<Seat> seat)
      : line_(line), sender_(std::move(sender)), seat_(std::move(seat)) {}
  ~Waiting() {
    if (!taken_) line_.leave(sender_, seat_);
  }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;

  Task<void> wait() {
    co_await seat_->signal->wait_until(SteadyTime::max());
    taken_ = true;
  }

 private:
  BuildLine& line_;
  const std::string sender_;
  const std::shared_ptr<Seat> seat_;
  bool taken_ = false;
};

Task<Result<BuildLine::Turn>> BuildLine::enter(std::string sender) {
  std::shared_ptr<Seat> seat;
  {
    const MutexLock lock(mutex_);
    if (running_ < bounds_.at_once) {
      ++running_;
      co_return Turn(*this);
    }
    const auto own = seats_.find(sender);
    const std::size_t of_one = own == seats_.end() ? 0 : own->second.size();
    if (waiting_ >= bounds_.waiting || of_one >= bounds_.waiting_of_one) {
      co_return fail(Error{errors::builds_busy,
                           "As much code waits to be compiled as may; the code is compiled when it is run later.",
                           kComeBack});
    }
    seat = std::make_shared<Seat>(Seat{.signal = clock_.make_signal()});
    if (of_one == 0) round_.push_back(sender);
    seats_[sender].push_back(seat);
    ++waiting_;
  }
  Waiting waiting(*this, std::move(sender), seat);
  co_await waiting.wait();
  co_return Turn(*this);
}

// To the first of the next sender; who waits on goes behind the others.
void BuildLine::pass_on() {
  std::shared_ptr<Seat> next;
  {
    const MutexLock lock(mutex_);
    if (waiting_ == 0) {
      --running_;
      return;
    }
    const std::string sender = std::move(round_.front());
    round_.pop_front();
    const auto seats = seats_.find(sender);
    next = std::move(seats->second.front());
    seats->second.pop_front();
    if (seats->second.empty()) {
      seats_.erase(seats);
    } else {
      round_.push_back(sender);
    }
    --waiting_;
    next->granted = true;
  }
  next->signal->notify();
}

void BuildLine::leave(const std::string& sender, const std::shared_ptr<Seat>& seat) {
  {
    const MutexLock lock(mutex_);
    if (!seat->granted) {
      const auto seats = seats_.find(sender);
      std::erase(seats->second, seat);
      --waiting_;
      if (!seats->second.empty()) return;
      seats_.erase(seats);
      std::erase(round_, sender);
      return;
    }
  }
  pass_on();
}

std::size_t BuildLine::waiting() const {
  const MutexLock lock(mutex_);
  return waiting_;
}

}  // namespace infra::worker
