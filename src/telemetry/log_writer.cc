#include "telemetry/log_writer.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

#include "core/mutex.h"
#include "telemetry/thread_stacks.h"

namespace infra::log {
namespace {

using std::chrono::steady_clock;

// What is left of `text` when the descriptor takes no more: its reader is gone, its disk is full.
std::string_view write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(descriptor, text.data(), text.size());
    if (count >= 0) {
      text.remove_prefix(static_cast<std::size_t>(count));
      continue;
    }
    if (errno == EINTR) continue;
    // Whoever else has the file open may have made it so; it is not ours to change that.
    if (errno != EAGAIN) break;
    pollfd writable{.fd = descriptor, .events = POLLOUT, .revents = 0};
    if (::poll(&writable, 1, -1) < 0 && errno != EINTR) break;
  }
  return text;
}

}  // namespace

struct LogWriter::State {
  enum class Mode : std::uint8_t {
    direct,  // whoever puts a line writes it
    threaded,
    ending,  // the thread writes what waits, and ends
    closed,  // it has not ended in time: lines are dropped
  };

  State(int fd, std::function<std::string(std::uint64_t)> n, Options o)
      : descriptor(fd), note(std::move(n)), options(o) {}

  [[nodiscard]] bool hand_over(std::string_view line);
  void run();
  [[nodiscard]] bool take(std::string& lines);
  void wrote(std::string_view lost);
  void linger();
  void drop_locked(std::uint64_t lines) INFRA_REQUIRES(mutex);

  const int descriptor;
  const std::function<std::string(std::uint64_t)> note;
  const Options options;

  Mutex mutex;
  CondVar arrived;
  CondVar done;
  Mode mode INFRA_GUARDED_BY(mutex) = Mode::direct;
  std::string waiting INFRA_GUARDED_BY(mutex);
  std::size_t in_hand INFRA_GUARDED_BY(mutex) = 0;   // bytes that the thread is writing
  bool asleep INFRA_GUARDED_BY(mutex) = false;       // it waits for a line, and is to be woken
  bool hurry INFRA_GUARDED_BY(mutex) = false;        // somebody waits for what waits
  bool gone INFRA_GUARDED_BY(mutex) = false;         // the thread has ended
  bool failing INFRA_GUARDED_BY(mutex) = false;      // the last write did
  std::uint64_t unsaid INFRA_GUARDED_BY(mutex) = 0;  // dropped, and not yet told of in a line
  std::atomic<std::uint64_t> dropped = 0;

  Mutex writing;  // held in a write without the thread
};

void LogWriter::State::drop_locked(std::uint64_t lines) {
  unsaid += lines;
  dropped += lines;
}

// False if the caller is to write it.
bool LogWriter::State::hand_over(std::string_view line) {
  bool wake = false;
  {
    const MutexLock lock(mutex);
    if (mode == Mode::direct) return false;
    const std::size_t held = waiting.size() + in_hand;
    if (mode == Mode::closed || held + line.size() + 1 > options.capacity) {
      drop_locked(1);
      return true;
    }
    waiting.append(line).push_back('\n');
    const bool is_much = waiting.size() > options.capacity / 2 && !std::exchange(hurry, true);
    wake = std::exchange(asleep, false) || is_much;
  }
  if (wake) arrived.notify_one();
  return true;
}

// Waits for lines; false when there will be none.
bool LogWriter::State::take(std::string& lines) {
  const MutexLock lock(mutex);
  while (mode != Mode::closed && waiting.empty() && (unsaid == 0 || failing)) {
    if (mode == Mode::ending) return false;
    asleep = true;
    arrived.wait(mutex);
    asleep = false;
  }
  if (mode == Mode::closed) return false;
  lines.clear();
  std::swap(lines, waiting);
  if (unsaid > 0) lines.append(note(std::exchange(unsaid, 0))).push_back('\n');
  in_hand = lines.size();
  return true;
}

void LogWriter::State::wrote(std::string_view lost) {
  const MutexLock lock(mutex);
  in_hand = 0;
  failing = !lost.empty();
  drop_locked(static_cast<std::uint64_t>(std::ranges::count(lost, '\n')));
  done.notify_all();
}

void LogWriter::State::linger() {
  const auto until = steady_clock::now() + options.linger;
  const MutexLock lock(mutex);
  while (!hurry && mode == Mode::threaded && arrived.wait_until(mutex, until)) {
  }
  hurry = false;
}

void LogWriter::State::run() {
  std::string lines;
  std::optional<steady_clock::time_point> last;
  while (take(lines)) {
    wrote(write_all(descriptor, lines));
    const bool is_busy = last && steady_clock::now() - *last < options.linger;
    if (is_busy) linger();
    last = steady_clock::now();
  }
  const MutexLock lock(mutex);
  gone = true;
  done.notify_all();
}

LogWriter::LogWriter(int descriptor, std::function<std::string(std::uint64_t)> note, Options options)
    : state_(std::make_shared<State>(descriptor, std::move(note), options)) {}

LogWriter::~LogWriter() {
  stop(milliseconds(0));
}

void LogWriter::start() {
  {
    const MutexLock lock(state_->mutex);
    if (state_->mode != State::Mode::direct) return;
    state_->mode = State::Mode::threaded;
    state_->gone = false;
  }
  const QuietThreads quiet;
  thread_ = std::thread([state = state_] { state->run(); });
}

void LogWriter::stop(milliseconds patience) {
  if (!thread_.joinable()) return;
  const auto until = steady_clock::now() + patience;
  bool gone = false;
  {
    const MutexLock lock(state_->mutex);
    state_->mode = State::Mode::ending;
    state_->arrived.notify_one();
    while (!state_->gone && state_->done.wait_until(state_->mutex, until)) {
    }
    gone = state_->gone;
    state_->mode = gone ? State::Mode::direct : State::Mode::closed;
  }
  if (gone) {
    thread_.join();
  } else {
    thread_.detach();  // it ends when its write does, or with the program
  }
}

void LogWriter::put(std::string_view line) {
  if (state_->hand_over(line)) return;
  const std::string whole = std::string(line) + '\n';
  const MutexLock lock(state_->writing);
  (void)write_all(state_->descriptor, whole);
}

bool LogWriter::flush(milliseconds patience) {
  const auto until = steady_clock::now() + patience;
  const MutexLock lock(state_->mutex);
  while (state_->mode != State::Mode::direct && (!state_->waiting.empty() || state_->in_hand > 0)) {
    if (state_->mode == State::Mode::closed) return false;
    state_->hurry = true;
    state_->arrived.notify_one();
    if (!state_->done.wait_until(state_->mutex, until)) return false;
  }
  return true;
}

std::uint64_t LogWriter::dropped() const {
  return state_->dropped;
}

}  // namespace infra::log
