// An event thread that waits for events is well, and is not woken to say so; of one that does something else it is seen
// whether it comes to what was put at the end of its line.
#include "net/loops/watchdog.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <charconv>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "core/mutex.h"
#include "telemetry/log.h"
#include "telemetry/thread_stacks.h"

namespace infra::net {
namespace {

using std::chrono::nanoseconds;
using std::chrono::steady_clock;

// A file of proc(5) that stays open; what it can't be opened for, it can't say.
class ProcFile {
 public:
  ProcFile(pid_t thread, std::string_view name)
      : file_(::open(fmt::format("/proc/self/task/{}/{}", thread, name).c_str(), O_RDONLY | O_CLOEXEC)) {}
  ProcFile(ProcFile&& other) noexcept : file_(std::exchange(other.file_, -1)) {}
  ProcFile& operator=(ProcFile&&) = delete;
  ~ProcFile() {
    if (file_ >= 0) ::close(file_);
  }
  [[nodiscard]] std::string read() const {
    std::array<char, 512> text{};
    const ssize_t count = ::pread(file_, text.data(), text.size(), 0);
    return {text.data(), static_cast<std::size_t>(std::max<ssize_t>(count, 0))};
  }

 private:
  int file_;
};

// Some kernels have no such file: the thread is woken to say that it is well.
bool waits_for_events(const ProcFile& system_call) {
  const std::string text = system_call.read();
  long number = -1;
  (void)std::from_chars(text.data(), text.data() + text.size(), number);
#ifdef SYS_epoll_wait
  if (number == SYS_epoll_wait) return true;
#endif
  return number == SYS_epoll_pwait;
}

bool is_runnable(const ProcFile& stat) {
  const std::string text = stat.read();
  const auto name_end = text.rfind(')');
  return name_end != std::string::npos && name_end + 2 < text.size() && text[name_end + 2] == 'R';
}

nanoseconds time_of(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return std::chrono::seconds(time.tv_sec) + nanoseconds(time.tv_nsec);
}

[[noreturn]] void end_program(pid_t thread, milliseconds stood) {
  log::error("an event thread is stuck", {{"thread", thread}, {"seconds", stood.count() / 1000}});
  for (const auto& stack : all_stacks()) {
    log::error(
        "stack",
        {{"thread", stack.id}, {"name", stack.name}, {"state", std::string(1, stack.state)}, {"frames", stack.frames}});
  }
  log::fatal("ended, because an event thread is stuck");
}

}  // namespace

milliseconds Standstill::note(const Look& look) {
  const nanoseconds cpu = std::exchange(cpu_, look.cpu);
  if (look.got_on) {
    stood_ = {};
  } else if (look.on_time) {
    stood_ += look.runnable ? std::min<nanoseconds>(look.cpu - cpu, look.since_last) : look.since_last;
  }
  return std::chrono::duration_cast<milliseconds>(stood_);
}

struct Watchdog::State {
  struct Watched {
    EventLoops::Thread thread;
    boost::asio::io_context& loop;
    ProcFile system_call;
    ProcFile stat;
    // Whether it has come to what was posted last. Shared, because that may come to pass after this object's end.
    std::shared_ptr<std::atomic<bool>> came = std::make_shared<std::atomic<bool>>(true);
    Standstill standstill{};
  };

  State(EventLoops& loops, Options o) : options(std::move(o)) {
    if (!options.on_stuck) options.on_stuck = end_program;
    const auto threads = loops.threads();
    for (std::size_t i = 0; i < threads.size(); ++i) {
      watched.push_back({.thread = threads[i],
                         .loop = loops.loop(i),
                         .system_call = ProcFile(threads[i].id, "syscall"),
                         .stat = ProcFile(threads[i].id, "stat")});
    }
  }

  void run();
  void look(Watched& event_thread, milliseconds since_last);

  Options options;
  std::vector<Watched> watched;
  Mutex mutex;
  CondVar changed;
  bool over INFRA_GUARDED_BY(mutex) = false;
  std::thread thread;
};

void Watchdog::State::run() {
  pthread_setname_np(pthread_self(), "watchdog");
  auto last = steady_clock::now();
  while (true) {
    const auto next = last + options.period;
    {
      const MutexLock lock(mutex);
      while (!over && changed.wait_until(mutex, next)) {
      }
      if (over) return;
    }
    const auto now = steady_clock::now();
    for (auto& event_thread : watched) look(event_thread, std::chrono::duration_cast<milliseconds>(now - last));
    last = now;
  }
}

void Watchdog::State::look(Watched& event_thread, milliseconds since_last) {
  const bool came = *event_thread.came;
  if (came && waits_for_events(event_thread.system_call)) {
    event_thread.standstill = {};
    return;
  }
  const milliseconds stood = event_thread.standstill.note({.since_last = since_last,
                                                           .on_time = since_last < options.period * 3 / 2,
                                                           .got_on = came,
                                                           .runnable = !came && is_runnable(event_thread.stat),
                                                           .cpu = time_of(event_thread.thread.cpu_time)});
  if (stood >= options.patience) options.on_stuck(event_thread.thread.id, stood);
  if (!came) return;
  *event_thread.came = false;
  boost::asio::post(event_thread.loop, [flag = event_thread.came] { *flag = true; });
}

Watchdog::Watchdog(EventLoops& loops, Options options) : state_(std::make_unique<State>(loops, std::move(options))) {
  const QuietThreads quiet;
  state_->thread = std::thread([state = state_.get()] { state->run(); });
}

Watchdog::~Watchdog() {
  {
    const MutexLock lock(state_->mutex);
    state_->over = true;
  }
  state_->changed.notify_one();
  state_->thread.join();
}

}  // namespace infra::net
