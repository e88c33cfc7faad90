// The zygote in use and, for a moment, the one that takes its place: forks of one have one layout of addresses and one
// seed of hashes, and what a function learns of these is not to hold for good.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/time.h"
#include "sandbox/protocol/spawner_options.h"
#include "sandbox/spawner/zygote_process.h"

namespace infra::sandbox {

// Whether a zygote has served long enough. What its forks share stays in memory for as long as one of them lives: by
// age alone it goes only if it has forked a few that bear that together.
[[nodiscard]] bool is_over(const ZygoteTerm& term, int forks, std::chrono::steady_clock::duration age);
inline constexpr int kFewForks = 16;

// As Zygote, single-threaded.
class Zygotes {
 public:
  explicit Zygotes(const SpawnerOptions& options) : options_(options) {}

  void start();
  [[nodiscard]] std::array<int, 2> sockets() const;  // to wait for; -1: none
  [[nodiscard]] bool ready() const { return current_ && current_->ready(); }
  // The first of all.
  [[nodiscard]] bool starting() const { return current_ && current_->starting(); }
  bool ask(std::uint64_t sandbox, int init, std::span<const UniqueFd> fds, const std::vector<std::string>& join_files);
  [[nodiscard]] std::vector<Zygote::Answer> listen();
  [[nodiscard]] int patience_ms() const { return current_ ? current_->patience_ms() : -1; }

  // Whether renew() has something to do, which is for when nothing else is. The zygote in use goes on meanwhile, and
  // goes when the new one is ready and all that it was asked for is answered.
  [[nodiscard]] bool is_due(SteadyTime now) const;
  void renew(SteadyTime now);

 private:
  const SpawnerOptions& options_;
  std::unique_ptr<Zygote> current_, next_, retired_;
  SteadyTime tried_ = SteadyTime{} - std::chrono::hours(1);
};

}  // namespace infra::sandbox
