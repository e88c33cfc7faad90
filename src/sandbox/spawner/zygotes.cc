#include "sandbox/spawner/zygotes.h"

#include <iterator>
#include <utility>

namespace infra::sandbox {
namespace {

constexpr std::chrono::minutes kPatience{1};  // for one to be ready, and before another is tried after one that failed

}  // namespace

bool is_over(const ZygoteTerm& term, int forks, std::chrono::steady_clock::duration age) {
  return forks >= term.forks || (age >= term.life && forks >= kFewForks);
}

void Zygotes::start() {
  current_ = std::make_unique<Zygote>(options_);
  current_->start();
}

std::array<int, 2> Zygotes::sockets() const {
  return {current_ ? current_->socket() : -1, next_ ? next_->socket() : -1};
}

bool Zygotes::ask(std::uint64_t sandbox, int init, std::span<const UniqueFd> fds,
                  const std::vector<std::string>& join_files) {
  return current_ && current_->ask(sandbox, init, fds, join_files);
}

std::vector<Zygote::Answer> Zygotes::listen() {
  std::vector<Zygote::Answer> answers;
  if (current_) answers = current_->listen();
  if (!next_) return answers;
  (void)next_->listen();  // only that it is ready: nothing was asked of it
  if (!next_->alive()) {
    next_.reset();
  } else if (next_->ready() && current_->owes_nothing()) {
    retired_ = std::exchange(current_, std::move(next_));
    retired_->dismiss();
  }
  return answers;
}

bool Zygotes::is_due(SteadyTime now) const {
  const bool has_time = now - tried_ <= kPatience;
  if (retired_) return !has_time || retired_->has_ended();
  if (next_) return !has_time && !next_->ready();
  return !has_time && ready() && is_over(options_.zygote_term, current_->forks(), now - current_->started());
}

void Zygotes::renew(SteadyTime now) {
  if (!is_due(now)) return;
  if (retired_) return retired_.reset();
  tried_ = now;
  if (next_) return next_.reset();
  next_ = std::make_unique<Zygote>(options_);
  next_->start();
}

}  // namespace infra::sandbox
