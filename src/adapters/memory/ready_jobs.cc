#include "adapters/memory/ready_jobs.h"

#include <limits>
#include <utility>

#include "core/mutex.h"

namespace infra {
namespace {

RunMode mode_of(const QueuedJob& queued) {
  return queued.job ? RunMode::sync : RunMode::async;
}

// One job of each function after the other, as if each took its quantum and were over at once.
class EachInTurn final : public Turns {
 public:
  void join(const FunctionId& function, RunMode mode) override {
    const MutexLock lock(mutex_);
    lines_.join(function, mode);
  }
  void withdraw(const FunctionId& function, RunMode mode, std::size_t count) override {
    const MutexLock lock(mutex_);
    lines_.withdraw(function, mode, count);
  }
  bool any() override {
    const MutexLock lock(mutex_);
    return lines_.next().has_value();
  }
  std::size_t free_for_all() override { return std::numeric_limits<std::size_t>::max(); }
  std::optional<FairLines::Turn> next() override {
    const MutexLock lock(mutex_);
    auto turn = lines_.next();
    if (turn) {
      lines_.begin(*turn);
      lines_.end(turn->function, FairLines::kQuantum);
    }
    return turn;
  }
  void note_client(const FunctionId& function) override {
    const MutexLock lock(mutex_);
    lines_.note_client(function);
  }
  bool claim(const FunctionId&, RunMode) override { return true; }
  void drop(const FunctionId&) override {}

 private:
  Mutex mutex_;
  FairLines lines_ INFRA_GUARDED_BY(mutex_){SlotShares{.common = std::numeric_limits<int>::max()}};
};

}  // namespace

ReadyJobs::ReadyJobs() : in_turn_(std::make_unique<EachInTurn>()), turns_(in_turn_.get()) {}

void ReadyJobs::attach(Turns* turns) {
  in_turn_ = turns == nullptr ? std::make_unique<EachInTurn>() : nullptr;
  turns_ = turns == nullptr ? in_turn_.get() : turns;
  for (const auto& [function, line] : lines_) {
    for (std::size_t i = 0; i < line.clients.size(); ++i) turns_->join(function, RunMode::sync);
    for (std::size_t i = 0; i < line.durable.size() && !durable_stay_; ++i) turns_->join(function, RunMode::async);
  }
}

void ReadyJobs::put(QueuedJob queued, const FunctionId& function) {
  const auto [found, is_new] = lines_.try_emplace(function);
  Line& line = found->second;
  if (is_new) line.function = std::make_shared<const FunctionId>(function);
  queued.function = line.function;
  const RunMode mode = mode_of(queued);
  auto& places = mode == RunMode::sync ? line.clients : line.durable;
  const std::int64_t seq = queued.seq;
  places.emplace(seq, std::move(queued));
  ++size_;
  if (mode == RunMode::sync || !durable_stay_) turns_->join(function, mode);
}

std::optional<QueuedJob> ReadyJobs::take() {
  const auto turn = turns_->next();
  if (!turn) return std::nullopt;
  const auto found = lines_.find(turn->function);
  Line& line = found->second;
  const bool durable = !turn->client && !durable_stay_ && !line.durable.empty() &&
                       (line.clients.empty() || line.durable.begin()->first < line.clients.begin()->first);
  if (!durable && !turn->client) turns_->note_client(turn->function);
  Places& from = durable ? line.durable : line.clients;
  return extract(found, from, from.begin());
}

QueuedJob ReadyJobs::extract(Lines::iterator line, Places& from, Places::iterator place) {
  QueuedJob queued = std::move(place->second);
  from.erase(place);
  --size_;
  if (line->second.clients.empty() && line->second.durable.empty()) lines_.erase(line);
  return queued;
}

// Rare, so that no index is kept for it: a job whose lease ran out is done with all the same.
std::optional<QueuedJob> ReadyJobs::remove(std::int64_t seq) {
  for (auto line = lines_.begin(); line != lines_.end(); ++line) {
    for (Places* from : {&line->second.clients, &line->second.durable}) {
      const auto place = from->find(seq);
      if (place == from->end()) continue;
      const RunMode mode = mode_of(place->second);
      if (mode == RunMode::sync || !durable_stay_) turns_->withdraw(line->first, mode, 1);
      return extract(line, *from, place);
    }
  }
  return std::nullopt;
}

void ReadyJobs::keep_durable() {
  if (std::exchange(durable_stay_, true)) return;
  for (const auto& [function, line] : lines_) {
    if (!line.durable.empty()) turns_->withdraw(function, RunMode::async, line.durable.size());
  }
}

std::size_t ReadyJobs::waiting(const FunctionId& function) const {
  const auto line = lines_.find(function);
  return line == lines_.end() ? 0 : line->second.clients.size() + line->second.durable.size();
}

}  // namespace infra
