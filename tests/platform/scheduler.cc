#include "platform/scheduler.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

#include "core/at_end.h"
#include "platform/step_executor.h"

namespace infra::sim {

namespace asio = boost::asio;

namespace {

constexpr WorldTime kStepTime = std::chrono::microseconds(1);
constexpr std::uint64_t kMostSteps = 20'000'000;  // of one run: hours of an idle platform
constexpr std::uint64_t kLookEvery = 8;           // steps, about, between looks at descriptors while others are ready
constexpr std::size_t kMostCallsAfterEnd = 100'000;
constexpr WorldTime kStopStep = std::chrono::milliseconds(1);

// A task that is under way, however it ends.
class Counted {
 public:
  Counted(Process& process, std::string_view words) : process_(&process), entry_(process.tasks.emplace(words)) {}
  ~Counted() {
    if (process_ != nullptr) process_->tasks.erase(entry_);
  }
  Counted(Counted&& from) noexcept : process_(std::exchange(from.process_, nullptr)), entry_(from.entry_) {}
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
  Counted& operator=(Counted&&) = delete;

 private:
  Process* process_;
  std::multiset<std::string, std::less<>>::iterator entry_;
};

Task<void> run_counted(Counted /*while it is there*/, Task<void> task) {
  co_await std::move(task);
}

}  // namespace

Scheduler::Scheduler(std::uint64_t seed) : dice_(seed) {}

Scheduler::~Scheduler() {
  for (const auto& process : processes_) {
    if (process->state != Process::State::ended) kill(*process);
  }
  bury();
}

Process& Scheduler::start_process(std::string name) {
  processes_.push_back(std::make_unique<Process>());
  processes_.back()->number = processes_.size();
  processes_.back()->name = std::move(name);
  return *processes_.back();
}

void Scheduler::post(Process& process, Work work) {
  add_ready({.process = &process, .run = std::move(work)});
}

void Scheduler::post_behind(Process& process, Work work) {
  add_ready({.process = &process, .run = std::move(work), .behind = true});
}

void Scheduler::add_ready(Ready ready) {
  const auto state = ready.process->state;
  const bool never = ready.kind == Kind::coroutine ? state >= Process::State::stopped : state == Process::State::ended;
  if (never) {
    graveyard_.push_back(std::move(ready.run));
    return;
  }
  ready.number = next_number_++;
  ready_.push_back(std::move(ready));
}

Scheduler::WaitId Scheduler::wait(Process& process, Until until, Wake wake) {
  return add_wait(process, Kind::coroutine, std::move(until), std::move(wake));
}

Scheduler::WaitId Scheduler::add_wait(Process& process, Kind kind, Until until, Wake wake) {
  const WaitId id = next_number_++;
  if (process.state == Process::State::ended) {
    graveyard_.emplace_back([wake = std::move(wake)] {});
    return id;
  }
  if (until.deadline) timers_.emplace(std::pair(*until.deadline, id), id);
  if (!until.descriptors.empty()) watched_.insert(id);
  waits_.emplace(id, Wait{.process = &process, .kind = kind, .until = std::move(until), .wake = std::move(wake)});
  return id;
}

void Scheduler::wake(WaitId id) {
  end_wait(id, true);
}

void Scheduler::forget_wait(std::map<WaitId, Wait>::iterator wait) {
  if (wait->second.until.deadline) timers_.erase(std::pair(*wait->second.until.deadline, wait->first));
  watched_.erase(wait->first);
  waits_.erase(wait);
}

void Scheduler::end_wait(WaitId id, bool woken) {
  const auto found = waits_.find(id);
  if (found == waits_.end()) return;
  add_ready({.process = found->second.process,
             .run = [wake = std::move(found->second.wake), woken]() mutable { wake(woken); },
             .kind = found->second.kind});
  forget_wait(found);
}

Task<bool> Scheduler::suspend(Until until, std::function<void(WaitId)> begun) {
  const asio::any_io_executor here = co_await asio::this_coro::executor;
  const auto* executor = here.target<StepExecutor>();
  if (executor == nullptr) throw std::logic_error("a coroutine of another world waits in this one");
  until.words = executor->words();
  Process& process = executor->process();
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(bool)>(
      [this, &process](auto handler, Until what, std::function<void(WaitId)> tell) {
        const WaitId id = wait(process, std::move(what),
                               [handler = std::move(handler)](bool woken) mutable { std::move(handler)(woken); });
        if (tell) tell(id);
      },
      asio::use_awaitable, std::move(until), std::move(begun));
}

void Scheduler::start_fiber(Process& process, const char* name, Kind kind, Work body) {
  if (process.state == Process::State::ended || (kind == Kind::offloaded && process.state != Process::State::running)) {
    graveyard_.push_back(std::move(body));
    return;
  }
  const std::uint64_t number = next_number_++;
  fibers_.emplace(
      number,
      Blocking{.process = &process, .name = name, .kind = kind, .fiber = std::make_unique<Fiber>(std::move(body))});
  add_ready({.process = &process, .run = [this, number] { resume(number); }, .kind = kind, .begins = true});
}

void Scheduler::resume(std::uint64_t number) {
  const auto found = fibers_.find(number);
  if (found == fibers_.end()) return;
  Blocking& blocking = found->second;
  const bool counts = blocking.kind == Kind::offloaded;
  if (counts && !blocking.fiber->begun()) ++blocking.process->offloaded;
  const std::uint64_t before = std::exchange(running_fiber_, number);
  blocking.fiber->resume();
  running_fiber_ = before;
  if (!blocking.fiber->ended()) return;
  if (counts) --blocking.process->offloaded;
  fibers_.erase(found);
}

bool Scheduler::block(Process& process, Until until, const std::function<void(WaitId)>& begun) {
  if (process.state == Process::State::ended) {
    if (++process.calls_after_end > kMostCallsAfterEnd) {
      (void)std::fprintf(stderr, "a call of %s goes on for ever though its process has ended: %.*s\n",
                         process.name.c_str(), static_cast<int>(until.what.size()), until.what.data());
      std::abort();
    }
    return false;
  }
  if (Fiber::current() == nullptr) {
    throw std::logic_error(fmt::format("an event thread of {} would block: {}", process.name, until.what));
  }
  bool is_woken = false;
  const auto fiber = fibers_.find(running_fiber_);
  until.words = fiber->second.name;
  const WaitId id =
      add_wait(process, fiber->second.kind, std::move(until), [this, number = running_fiber_, &is_woken](bool woken) {
        is_woken = woken;
        resume(number);
      });
  if (begun) begun(id);
  Fiber::suspend();
  if (const auto left = waits_.find(id); left != waits_.end()) forget_wait(left);  // its process has ended
  return process.state != Process::State::ended && is_woken;
}

void Scheduler::spawn(Process& process, std::string_view words, Task<void> task,
                      std::function<void(const std::exception_ptr&)> over) {
  asio::co_spawn(StepExecutor(*this, process, words), run_counted(Counted(process, words), std::move(task)),
                 [over = std::move(over)](const std::exception_ptr& thrown) {
                   if (over) over(thrown);
                 });
}

bool Scheduler::can_run(const Ready& ready) const {
  const Process& process = *ready.process;
  if (process.frozen_until > now_) return false;
  if (process.state != Process::State::running && (ready.kind == Kind::coroutine || ready.begins)) {
    return ready.kind == Kind::thread;
  }
  if (ready.begins && ready.kind == Kind::offloaded) return process.offloaded < process.blocking_threads;
  return !ready.behind || std::ranges::none_of(ready_, [&](const Ready& other) {
    return other.process == ready.process && other.kind == Kind::coroutine && other.number < ready.number;
  });
}

std::optional<std::size_t> Scheduler::choose() {
  const std::size_t count = ready_.size();
  if (count == 0) return std::nullopt;
  if (dice_.chance(disorder_)) {
    const std::size_t first = dice_.below(count);
    for (std::size_t i = 0; i < count; ++i) {
      if (const std::size_t index = (first + i) % count; can_run(ready_[index])) return index;
    }
    return std::nullopt;
  }
  std::optional<std::size_t> oldest;
  for (std::size_t i = 0; i < count; ++i) {
    if (can_run(ready_[i]) && (!oldest || ready_[i].number < ready_[*oldest].number)) oldest = i;
  }
  return oldest;
}

void Scheduler::run(std::size_t index) {
  Ready ready = std::move(ready_[index]);
  if (index + 1 != ready_.size()) ready_[index] = std::move(ready_.back());
  ready_.pop_back();
  fingerprint_ = (fingerprint_ ^ ready.number ^ static_cast<std::uint64_t>(now_.count())) * 0x100000001b3;
  ++steps_;
  now_ += kStepTime;
  looks_ = 0;
  stepping_ = true;
  const AtEnd over([this] { stepping_ = false; });
  ready.run();
}

void Scheduler::fire_timers() {
  while (!timers_.empty() && timers_.begin()->first.first <= now_) end_wait(timers_.begin()->second, false);
}

bool Scheduler::look_at_descriptors() {
  if (watched_.empty()) return false;
  std::vector<pollfd> all;
  for (const WaitId id : watched_) {
    const auto& own = waits_.at(id).until.descriptors;
    all.insert(all.end(), own.begin(), own.end());
  }
  if (::poll(all.data(), all.size(), 0) <= 0) return false;
  std::vector<WaitId> ready;
  std::size_t next = 0;
  for (const WaitId id : watched_) {
    const std::size_t count = waits_.at(id).until.descriptors.size();
    const auto* const first = all.data() + next;
    if (std::any_of(first, first + count, [](const pollfd& one) { return one.revents != 0; })) ready.push_back(id);
    next += count;
  }
  for (const WaitId id : ready) end_wait(id, true);
  return true;
}

// To the next moment that somebody waits for; false if there is none.
bool Scheduler::pass_time() {
  std::optional<WorldTime> next;
  if (!timers_.empty()) next = timers_.begin()->first.first;
  for (const Ready& ready : ready_) {
    const WorldTime until = ready.process->frozen_until;
    if (until > now_ && (!next || until < *next)) next = until;
  }
  if (!next) return false;
  now_ = std::max(now_, *next);
  return true;
}

bool Scheduler::step() {
  if (stepping_) throw std::logic_error("a step waits for other steps: an event thread would stand still");
  bury();
  fire_timers();
  if (!ready_.empty() && dice_.below(kLookEvery) == 0) look_at_descriptors();
  while (true) {
    if (const auto chosen = choose()) {
      run(*chosen);
      return true;
    }
    if (look_at_descriptors()) continue;
    if (!pass_time()) return false;
    fire_timers();
  }
}

Scheduler::Ran Scheduler::run_until(const std::function<bool()>& done, WorldTime within) {
  const WorldTime end = now_ + within;
  const std::uint64_t most = steps_ + kMostSteps;
  while (!done()) {
    if (now_ >= end) return Ran::late;
    if (steps_ >= most) return Ran::busy;
    if (!step()) return Ran::stuck;
  }
  return Ran::done;
}

bool Scheduler::has_begun_calls(const Process& process) const {
  return std::ranges::any_of(fibers_, [&](const auto& entry) {
    const Blocking& blocking = entry.second;
    return blocking.process == &process && blocking.kind == Kind::offloaded && blocking.fiber->begun();
  });
}

void Scheduler::kill(Process& process) {
  process.state = Process::State::ended;
  end_fibers(process, false);
  destroy_coroutines(process);
  end_fibers(process, true);
  destroy_coroutines(process);
}

void Scheduler::end(Process& process) {
  const bool left = std::ranges::any_of(fibers_, [&](const auto& entry) {
    const Blocking& blocking = entry.second;
    return blocking.process == &process && blocking.kind != Kind::main && blocking.fiber->begun();
  });
  if (left) throw std::logic_error(process.name + " ends while something of it still blocks");
  process.state = Process::State::ended;
  destroy_coroutines(process);
}

void Scheduler::stop(Process& process) {
  if (process.state != Process::State::running) return;
  process.state = Process::State::stopping;
  if (Fiber::current() != nullptr) {
    while (has_begun_calls(process))
      block(process, {.what = "the end of blocking calls", .words = {}, .deadline = now_ + kStopStep});
  } else {
    run_until([&] { return !has_begun_calls(process); }, std::chrono::hours(24));
  }
  if (process.state != Process::State::stopping) return;  // it was killed meanwhile
  process.state = Process::State::stopped;
  destroy_coroutines(process);
}

// Those that have begun go on to their end, where nothing blocks any more.
void Scheduler::end_fibers(Process& process, bool of_main) {
  std::vector<std::uint64_t> numbers;
  for (const auto& [number, blocking] : fibers_) {
    if (blocking.process == &process && (blocking.kind == Kind::main) == of_main) numbers.push_back(number);
  }
  for (const std::uint64_t number : numbers) {
    const auto found = fibers_.find(number);
    if (found->second.fiber->begun()) {
      resume(number);
    } else {
      fibers_.erase(found);
    }
  }
}

// What is destroyed may post, and wait, and start anew: until nothing is left.
void Scheduler::destroy_coroutines(Process& process) {
  const bool all = process.state == Process::State::ended;
  const auto goes = [&](Kind kind) { return all || kind == Kind::coroutine || kind == Kind::offloaded; };
  for (bool more = true; more;) {
    bury();
    std::vector<std::uint64_t> unbegun;
    for (const auto& [number, blocking] : fibers_) {
      if (blocking.process == &process && goes(blocking.kind) && !blocking.fiber->begun()) unbegun.push_back(number);
    }
    for (const std::uint64_t number : unbegun) {
      const auto node = fibers_.extract(number);  // out of the list before what it holds goes
    }
    for (std::size_t i = 0; i < ready_.size();) {
      if (ready_[i].process != &process || !goes(ready_[i].kind)) {
        ++i;
        continue;
      }
      graveyard_.push_back(std::move(ready_[i].run));
      ready_.erase(ready_.begin() + static_cast<std::ptrdiff_t>(i));
    }
    for (auto wait = waits_.begin(); wait != waits_.end();) {
      const auto next = std::next(wait);
      if (wait->second.process == &process && goes(wait->second.kind)) {
        graveyard_.emplace_back([wake = std::move(wait->second.wake)] {});
        forget_wait(wait);
      }
      wait = next;
    }
    more = !unbegun.empty() || !graveyard_.empty();
  }
}

void Scheduler::bury() {
  while (!graveyard_.empty()) {
    std::vector<Work> dead;
    dead.swap(graveyard_);
    for (Work& work : dead) work = nullptr;
  }
}

std::size_t Scheduler::things_of(const Process& process) const {
  const auto is_its = [&](const auto& one) { return one.process == &process; };
  const auto of_entry = [&](const auto& entry) { return is_its(entry.second); };
  return static_cast<std::size_t>(std::ranges::count_if(ready_, is_its) + std::ranges::count_if(waits_, of_entry) +
                                  std::ranges::count_if(fibers_, of_entry));
}

std::string Scheduler::waiting() const {
  std::string text;
  for (const auto& [id, wait] : waits_) {
    text += fmt::format(
        "{}: {}: waits for {}{}\n", wait.process->name, wait.until.words, wait.until.what,
        wait.until.deadline ? fmt::format(" until {} ms", wait.until.deadline->count() / 1'000'000) : std::string());
  }
  return text;
}

}  // namespace infra::sim
