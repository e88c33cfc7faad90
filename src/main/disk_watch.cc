#include "main/disk_watch.h"

namespace infra {
namespace {

constexpr std::chrono::seconds kInterval{1};

}  // namespace

Task<void> DiskWatch::watch_on(const std::atomic<bool>& stopping) {
  while (!stopping) {
    co_await program_.executor.offload([this] { space_.look(); });
    co_await program_.clock.sleep_until(next_beat(program_.clock.steady_now(), kInterval));
  }
}

}  // namespace infra
