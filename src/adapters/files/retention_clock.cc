#include "adapters/files/retention_clock.h"

#include <cstdint>
#include <fstream>
#include <system_error>

#include "telemetry/log.h"

namespace infra {
namespace {

constexpr std::chrono::minutes kSaveInterval{10};  // much less than a clock is trusted with

std::optional<TrustedTimeState> read_state(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::int64_t trusted = 0;
  std::int64_t confirming = 0;
  if (!(in >> trusted >> confirming)) return std::nullopt;
  return TrustedTimeState{.trusted = WallTime{milliseconds{trusted}}, .confirming = milliseconds{confirming}};
}

}  // namespace

RetentionClock::RetentionClock(const std::filesystem::path& data, const Clock& clock)
    : file_(data / "retention-clock"), clock_(clock), time_(read_state(file_), clock.now(), clock.steady_now()) {}

WallTime RetentionClock::look() {
  const SteadyTime steady = clock_.steady_now();
  const WallTime wall = clock_.now();
  const auto seen = time_.look(wall, steady);
  if (seen == TrustedTime::Seen::jump_begins) {
    const auto ahead = std::chrono::floor<std::chrono::seconds>(wall - time_.state().trusted);
    log::warn("the clock is not where it should be: nothing is deleted for its age until it has stayed so for a day",
              {{"aheadSeconds", ahead.count()}});
  } else if (seen == TrustedTime::Seen::jump_ends) {
    log::info("the clock is believed again");
  }
  const bool changed = seen == TrustedTime::Seen::jump_begins || seen == TrustedTime::Seen::jump_ends;
  if (changed || !saved_ || steady - *saved_ >= kSaveInterval) save(steady);
  return time_.now();
}

// Not flushed to the disk: what a crash of the machine loses is some minutes, which the tolerance covers.
void RetentionClock::save(SteadyTime now) {
  const auto state = time_.state();
  const auto temporary = std::filesystem::path(file_).concat(".new");
  std::ofstream out(temporary, std::ios::trunc);
  out << state.trusted.time_since_epoch().count() << ' ' << state.confirming.count() << '\n';
  out.close();
  if (!out) return;  // a full disk: at the next look
  std::error_code failed;
  std::filesystem::rename(temporary, file_, failed);
  if (!failed) saved_ = now;
}

}  // namespace infra
