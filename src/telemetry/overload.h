// The program's overload manager: what can run out tells how near it is, and a table says what is done about it.
// Whoever counts a resource reports its pressure; whoever can take load off asks whether its action is on. In the
// manner of Envoy's (docs/decisions/0036-one-overload-manager.md).
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "core/error.h"
#include "core/mutex.h"
#include "core/time.h"
#include "telemetry/metrics.h"

namespace infra {

enum class Resource : std::uint8_t {
  connections,     // open, of those that may be
  descriptors,     // open, of the limit
  buffered_bytes,  // of bodies in memory, of their budget
  frame_budget,    // bytes of runners' frames, of theirs
  disk,            // of the data folder: bytes or files that are left
  outputs,         // output files that are kept, of their quota
  database_log     // the database's write-ahead log, of the most that it may grow to
};
inline constexpr std::size_t kResources = 7;

// From the mildest on.
enum class Action : std::uint8_t {
  close_slow,           // connections that do not read or send are closed sooner
  stop_outputs,         // runs go on, their output files are not kept
  stop_uploads,         // no new code
  shed_async,           // no job that would wait on the disk
  replace_connections,  // there are no more than now: a newcomer takes another's place
};
inline constexpr std::size_t kActions = 5;

[[nodiscard]] std::string_view to_string(Resource resource);
[[nodiscard]] std::string_view to_string(Action action);

struct OverloadRule {
  Resource resource;
  Action action;
  double begins;  // at this pressure and above
  double ends;    // below this one; less than `begins`, so that it does not flutter
};

// Nothing stops settlement: what was accepted is answered, kept and recorded. On the disk the actions leave it room
// (adapters/files/disk_space.h).
inline constexpr auto kOverloadRules = std::to_array<OverloadRule>({
    {Resource::connections, Action::close_slow, 0.90, 0.80},
    {Resource::descriptors, Action::close_slow, 0.85, 0.75},
    {Resource::descriptors, Action::stop_uploads, 0.92, 0.85},
    {Resource::descriptors, Action::replace_connections, 0.97, 0.94},
    {Resource::buffered_bytes, Action::close_slow, 0.80, 0.60},
    {Resource::buffered_bytes, Action::stop_uploads, 0.95, 0.80},
    {Resource::disk, Action::stop_outputs, 0.50, 0.45},
    {Resource::disk, Action::stop_uploads, 0.75, 0.70},
    {Resource::disk, Action::shed_async, 0.875, 0.85},
    {Resource::database_log, Action::shed_async, 0.95, 0.50},
});

// Any thread.
class Overload {
 public:
  using Now = std::function<SteadyTime()>;
  explicit Overload(Now now) : now_(std::move(now)) {}
  Overload(const Overload&) = delete;
  Overload& operator=(const Overload&) = delete;

  // 0: none of it is used, 1: all of it. Never blocks, but where an action begins or ends: that is logged, an action
  // once a second at most.
  void report(Resource resource, double pressure);

  [[nodiscard]] bool active(Action action) const {  // one load
    return causes_.at(place(action)).load(std::memory_order_relaxed) != 0;
  }
  // While `action` is on, a refusal for the client: `unavailable`, code storage_full where the disk is a cause, else
  // overloaded.
  [[nodiscard]] Result<void> admit(Action action) const;

  [[nodiscard]] std::optional<double> pressure(Resource resource) const;  // none before the first report
  [[nodiscard]] bool is_cause(Resource resource, Action action) const;

  void show(Metrics& metrics) const;  // before a scrape

 private:
  static constexpr double kUnknown = -1;
  static constexpr std::size_t place(Resource resource) { return static_cast<std::size_t>(resource); }
  static constexpr std::size_t place(Action action) { return static_cast<std::size_t>(action); }

  void apply(const OverloadRule& rule);
  void tell();

  const Now now_;
  std::array<std::atomic<double>, kResources> pressures_{kUnknown, kUnknown, kUnknown, kUnknown,
                                                         kUnknown, kUnknown, kUnknown};
  std::array<std::atomic<std::uint32_t>, kActions> causes_{};  // a bit a resource
  std::atomic<bool> untold_ = false;

  struct Told {
    bool active = false;
    std::optional<SteadyTime> at{};
  };
  Mutex mutex_;
  std::array<Told, kActions> told_ INFRA_GUARDED_BY(mutex_){};
};

}  // namespace infra
