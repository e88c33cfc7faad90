#include "adapters/aws/sqs/sqs_change_line.h"

#include <utility>

#include "adapters/aws/sqs/job_message.h"

namespace infra::aws {
namespace {

constexpr std::size_t kMaxEntries = 10;
constexpr int kAtOnce = 2;        // fewer requests in flight than this make no change wait
constexpr int kMaxRequests = 16;  // more would not make SQS faster; what waits then fills requests

}  // namespace

std::vector<SqsChanges> SqsChangeLine::add(std::shared_ptr<SqsChange> change, SteadyTime now) {
  const MutexLock lock(mutex_);
  waiting_.push_back(std::move(change));
  return take(now);
}

std::vector<SqsChanges> SqsChangeLine::take_due(SteadyTime now) {
  const MutexLock lock(mutex_);
  return take(now);
}

std::vector<SqsChanges> SqsChangeLine::request_ended(SteadyTime now) {
  const MutexLock lock(mutex_);
  --in_flight_;
  return take(now);
}

bool SqsChangeLine::withdraw(const std::shared_ptr<SqsChange>& change) {
  const MutexLock lock(mutex_);
  return std::erase(waiting_, change) > 0;
}

std::vector<SqsChanges> SqsChangeLine::take(SteadyTime now) {
  std::vector<SqsChanges> requests;
  while (!waiting_.empty() && in_flight_ < kMaxRequests) {
    const std::size_t count = request_size();
    const bool full = count < waiting_.size() || count == kMaxEntries;
    if (in_flight_ >= kAtOnce && !full && waiting_.front()->due > now) break;
    const auto end = waiting_.begin() + static_cast<std::ptrdiff_t>(count);
    requests.emplace_back(waiting_.begin(), end);
    waiting_.erase(waiting_.begin(), end);
    ++in_flight_;
  }
  return requests;
}

// How many of those who wait fit into one request; one always does.
std::size_t SqsChangeLine::request_size() const {
  std::size_t count = 0;
  std::size_t bytes = 0;
  for (const auto& change : waiting_) {
    bytes += change->bytes;
    if (count == kMaxEntries || (count > 0 && bytes > kMaxMessageBytes)) break;
    ++count;
  }
  return count;
}

}  // namespace infra::aws
