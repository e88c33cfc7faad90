#include "worker/jobs/suspects.h"

#include <utility>

#include "telemetry/log.h"

namespace infra::worker {
namespace {

constexpr milliseconds kFailurePause{1000};
constexpr milliseconds kForever = std::chrono::hours(24);

}  // namespace

Task<void> Suspects::run() {
  if (queue_ == nullptr || !queue_->has_suspects()) co_return;
  bool open = co_await lifecycle_.wait_within(Phase::running, kOpensAfter);
  if (open) queue_->begin_suspects();
  while (open) {
    auto suspect = co_await queue_->receive_suspect();
    if (!suspect) {
      log::warn("receiving a suspect job failed", {{"code", suspect.error().code}});
      open = co_await lifecycle_.wait_within(Phase::running, kFailurePause);
      continue;
    }
    if (!*suspect) co_return;
    co_await run_(std::move(**suspect));
  }
}

Task<void> Suspects::end() {
  if (queue_ == nullptr) co_return;
  while (co_await lifecycle_.wait_within(Phase::running, kForever)) {
  }
  co_await queue_->end_suspects();
}

}  // namespace infra::worker
