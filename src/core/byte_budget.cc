#include "core/byte_budget.h"

#include <algorithm>
#include <list>
#include <unordered_map>
#include <utility>

#include "core/mutex.h"

namespace infra {

class ByteLine {
 public:
  explicit ByteLine(std::uint64_t capacity) : capacity_(capacity) {}

  void join(ByteClaim& claim) {
    const MutexLock lock(mutex_);
    line_.push_back(&claim);
    grant_those_due();
    claim.waits_ = !claim.granted_;
    if (claim.waits_) ++waited_total_;
  }

  void leave(ByteClaim& claim) {
    const MutexLock lock(mutex_);
    if (claim.granted_) {
      give_back(claim);
    } else {
      line_.remove(&claim);
    }
    grant_those_due();
  }

  bool is_granted(const ByteClaim& claim) {
    const MutexLock lock(mutex_);
    return claim.granted_;
  }

  ByteBudget::Use use() {
    const MutexLock lock(mutex_);
    return {.bytes = held_, .waiting = line_.size(), .waited_total = waited_total_};
  }

  [[nodiscard]] std::uint64_t capacity() const { return capacity_; }

 private:
  using Place = std::list<ByteClaim*>::iterator;

  void give_back(const ByteClaim& claim) INFRA_REQUIRES(mutex_) {
    held_ -= claim.bytes_;
    const auto held = held_by_.find(claim.owner_);
    held->second -= claim.bytes_;
    if (held->second == 0) held_by_.erase(held);
  }

  // Whose turn it is, whether there is room for it or not: so a large one is not overtaken for ever.
  Place next() INFRA_REQUIRES(mutex_) {
    Place second = line_.end();
    for (auto at = line_.begin(); at != line_.end(); ++at) {
      const auto held = held_by_.find((*at)->owner_);
      if (held == held_by_.end()) return at;
      if (second == line_.end() && held->second + (*at)->bytes_ <= capacity_ / 2) second = at;
    }
    return second;
  }

  void grant_those_due() INFRA_REQUIRES(mutex_) {
    for (auto at = next(); at != line_.end() && held_ + (*at)->bytes_ <= capacity_; at = next()) {
      ByteClaim& claim = **at;
      line_.erase(at);
      held_ += claim.bytes_;
      held_by_[claim.owner_] += claim.bytes_;
      claim.granted_ = true;
      if (claim.waits_) claim.on_granted_();
    }
  }

  const std::uint64_t capacity_;
  Mutex mutex_;
  std::uint64_t held_ INFRA_GUARDED_BY(mutex_) = 0;
  std::uint64_t waited_total_ INFRA_GUARDED_BY(mutex_) = 0;
  std::unordered_map<std::string, std::uint64_t> held_by_ INFRA_GUARDED_BY(mutex_);
  std::list<ByteClaim*> line_ INFRA_GUARDED_BY(mutex_);
};

ByteClaim::ByteClaim(std::shared_ptr<ByteLine> line, std::string owner, std::uint64_t bytes,
                     std::function<void()> on_granted)
    : line_(std::move(line)), owner_(std::move(owner)), bytes_(bytes), on_granted_(std::move(on_granted)) {
  line_->join(*this);
}

ByteClaim::~ByteClaim() {
  line_->leave(*this);
}

bool ByteClaim::granted() const {
  return line_->is_granted(*this);
}

ByteBudget::ByteBudget(std::uint64_t capacity) : line_(std::make_shared<ByteLine>(capacity)) {}

std::shared_ptr<const ByteClaim> ByteBudget::claim(std::string_view owner, std::uint64_t bytes,
                                                   std::function<void()> on_granted) {
  return std::make_shared<const ByteClaim>(
      line_, std::string(owner), std::clamp<std::uint64_t>(bytes, 1, line_->capacity()), std::move(on_granted));
}

ByteBudget::Use ByteBudget::use() const {
  return line_->use();
}

}  // namespace infra
