#include "http/wrong_key_delay.h"

namespace infra::http {
namespace {

// Counts its owner for as long as it lives, also if that coroutine is given up.
class Place {
 public:
  explicit Place(std::atomic<std::size_t>& taken) : taken_(taken), number_(++taken) {}
  ~Place() { --taken_; }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  [[nodiscard]] std::size_t number() const { return number_; }

 private:
  std::atomic<std::size_t>& taken_;
  const std::size_t number_;
};

}  // namespace

Task<void> WrongKeyDelay::wait() {
  const Place place(waiting_);
  if (place.number() > kMostAtOnce) co_return;
  co_await clock_.sleep_until(clock_.steady_now() + kDelay);
}

}  // namespace infra::http
