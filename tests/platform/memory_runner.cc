#include "platform/memory_runner.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/json.hpp>
#include <cerrno>
#include <chrono>

#include "core/json_text.h"

namespace infra::sim {
namespace {

using End = FunctionPlan::End;

std::string framed(std::string_view body) {
  std::string frame(4, '\0');
  for (std::size_t i = 0; i < frame.size(); ++i) frame[i] = static_cast<char>((body.size() >> (8 * i)) & 0xff);
  return frame.append(body);
}

FunctionCall read_call(const boost::json::object& frame) {
  const auto text = [&](std::string_view name) {
    const auto* value = frame.if_contains(name);
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
  };
  FunctionCall call{.function = text("functionId"), .request = text("requestId")};
  if (const auto* input = frame.if_contains("input")) call.input = boost::json::serialize(*input);
  if (const auto* load = frame.if_contains("load")) call.loads = load->is_bool() && load->get_bool();
  if (const auto* deadline = frame.if_contains("deadlineMs"))
    call.deadline = WallTime(milliseconds(deadline->to_number<std::int64_t>()));
  return call;
}

class Runner {
 public:
  Runner(std::shared_ptr<RunnerState> state, Scheduler& scheduler) : state_(std::move(state)), scheduler_(scheduler) {}

  Task<bool> write(int descriptor, std::string bytes);
  Task<std::optional<std::string>> read_frame(std::optional<SteadyTime> until);
  Task<void> serve(const MemoryFunctions& functions, std::string name);
  Task<void> build();

 private:
  // False once the process is gone. While it is frozen it stays here.
  Task<bool> goes_on() {
    while (state_->frozen && !state_->ended()) co_await state_->thawed->wait_until(SteadyTime::max());
    co_return !state_->ended();
  }
  Task<bool> wait_for(int descriptor, short events, std::optional<SteadyTime> until) {
    co_return co_await scheduler_.suspend({.what = "a simulated sandbox's descriptor",
                                           .words = {},
                                           .deadline = until ? state_->clock.when(*until) : std::nullopt,
                                           .descriptors = {{.fd = descriptor, .events = events, .revents = 0}}});
  }
  Task<bool> spend(milliseconds time) {
    if (time.count() > 0) co_await state_->clock.sleep_until(state_->clock.steady_now() + time);
    co_return co_await goes_on();
  }
  Task<bool> follow(FunctionPlan plan, FunctionCall call);
  Task<bool> answer(const FunctionPlan& plan, const FunctionCall& call);
  Task<bool> say(std::string body) { co_return co_await write(state_->control.get(), framed(body)); }
  void end_by(int signal, bool out_of_memory = false) {
    state_->end({.exited = false, .exit_code = 0, .signal = signal, .out_of_memory = out_of_memory});
  }
  void exit(int code) { state_->end({.exited = true, .exit_code = code, .signal = 0, .out_of_memory = false}); }

  const std::shared_ptr<RunnerState> state_;
  Scheduler& scheduler_;
  std::string heard_;
  std::optional<SteadyTime> exits_at_, speaks_at_;
};

Task<bool> Runner::write(int descriptor, std::string bytes) {
  std::string_view left = bytes;
  while (!left.empty()) {
    if (!co_await goes_on()) co_return false;
    const ssize_t count = ::write(descriptor, left.data(), left.size());
    if (count > 0) {
      left.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno == EAGAIN) {
      co_await wait_for(descriptor, POLLOUT, std::nullopt);
    } else {
      co_return false;
    }
  }
  co_return true;
}

// Nothing at the end of the stream, or once it is that late; then `heard_` may hold a part.
Task<std::optional<std::string>> Runner::read_frame(std::optional<SteadyTime> until) {
  while (true) {
    if (!co_await goes_on()) co_return std::nullopt;
    if (heard_.size() >= 4) {
      std::size_t size = 0;
      for (std::size_t i = 0; i < 4; ++i) size |= std::size_t{static_cast<unsigned char>(heard_[i])} << (8 * i);
      if (heard_.size() >= 4 + size) {
        std::string body = heard_.substr(4, size);
        heard_.erase(0, 4 + size);
        co_return body;
      }
    }
    std::array<char, 8192> part;
    const ssize_t count = ::recv(state_->control.get(), part.data(), part.size(), MSG_DONTWAIT);
    if (count > 0) {
      heard_.append(part.data(), static_cast<std::size_t>(count));
    } else if (count == 0 || errno != EAGAIN) {
      co_return std::nullopt;
    } else if (!co_await wait_for(state_->control.get(), POLLIN, until)) {
      co_return std::nullopt;
    }
  }
}

Task<bool> Runner::answer(const FunctionPlan& plan, const FunctionCall& call) {
  const std::string id = json_quote(plan.end == End::another_request ? "another" : call.request);
  const std::string rest =
      fmt::format(R"("handlerMs":{},"reusable":{},"requestId":{})", plan.takes.count(), plan.reusable, id);
  switch (plan.end) {
    case End::value:
    case End::another_request:
      co_return co_await say(fmt::format(R"({{"ok":true,"value":{},{}}})", plan.text, rest));
    case End::error:
    case End::import_error:
      co_return co_await say(fmt::format(R"({{"ok":false,"code":"{}","message":{},{}}})",
                                         plan.end == End::error ? "handler_error" : "import_error",
                                         json_quote(plan.text), rest));
    case End::garbage:
      co_return co_await write(state_->control.get(), plan.text);
    case End::exit:
      exit(plan.code);
      co_return false;
    case End::killed:
      end_by(plan.code);
      co_return false;
    case End::out_of_memory:
      end_by(SIGKILL, true);
      co_return false;
    case End::close:
      ::shutdown(state_->control.get(), SHUT_RDWR);
      [[fallthrough]];
    case End::hang:
      co_await wait_for(state_->is_over.get(), POLLIN, std::nullopt);
      co_return false;
  }
  co_return false;
}

Task<bool> Runner::follow(FunctionPlan plan, FunctionCall call) {
  if (!co_await spend(plan.takes)) co_return false;
  state_->usage.cpu_us += plan.cpu_us;
  state_->usage.peak_memory_bytes = std::max(state_->usage.peak_memory_bytes, plan.peak_bytes);
  if (!co_await write(state_->out.get(), plan.prints) || !co_await write(state_->err.get(), plan.complains))
    co_return false;
  for (auto& file : plan.files) {
    state_->output_bytes += static_cast<std::int64_t>(file.second.size());
    state_->output.push_back(std::move(file));
  }
  state_->processes += plan.processes_left;
  if (plan.end != End::hang && plan.end != End::close) state_->end_call();
  if (!co_await answer(plan, call)) co_return false;
  const auto now = state_->clock.steady_now();
  exits_at_ = plan.ends_after.count() >= 0 ? std::optional(now + plan.ends_after) : std::nullopt;
  speaks_at_ = plan.speaks_after.count() >= 0 ? std::optional(now + plan.speaks_after) : std::nullopt;
  co_return true;
}

Task<void> Runner::serve(const MemoryFunctions& functions, std::string name) {
  if (!co_await say(R"({"ready":true})")) co_return;
  int calls = 0;
  while (true) {
    const auto next = exits_at_ && speaks_at_ ? std::min(*exits_at_, *speaks_at_) : exits_at_ ? exits_at_ : speaks_at_;
    const auto frame = co_await read_frame(next);
    if (!frame) {
      const auto now = state_->clock.steady_now();
      if (state_->ended()) co_return;
      if (speaks_at_ && *speaks_at_ <= now) {
        speaks_at_.reset();
        if (!co_await say(R"({"ok":true})")) co_return;
        continue;
      }
      exit(exits_at_ && *exits_at_ <= now ? 1 : 0);  // the worker's end is closed, or its own time has come
      co_return;
    }
    if (frame->empty()) continue;  // it may give memory back
    boost::system::error_code error;
    const auto parsed = boost::json::parse(*frame, error);
    if (error || !parsed.is_object() || !parsed.get_object().contains("requestId")) continue;  // a compiled one's start
    FunctionCall call = read_call(parsed.get_object());
    call.code = name;
    call.number = call.loads ? calls : calls++;
    if (!call.loads) state_->call_over = [&functions, call] { functions.over(call); };
    FunctionPlan plan = functions.call(name, call);
    if (call.loads && plan.end != End::import_error && plan.end != End::exit && plan.end != End::hang)
      plan = FunctionPlan{.takes = plan.takes};
    if (!co_await follow(std::move(plan), std::move(call))) co_return;
  }
}

Task<void> Runner::build() {
  if (!co_await say(R"({"ready":true})")) co_return;
  if (co_await read_frame(std::nullopt)) co_await say(R"({"missing":"g++"})");
  exit(0);
}

// However its coroutine ends, its process is gone.
struct Gone {
  explicit Gone(RunnerState& s) : state(s) {}
  ~Gone() { state.end({.exited = false, .exit_code = 0, .signal = SIGKILL, .out_of_memory = false}); }
  Gone(const Gone&) = delete;
  Gone& operator=(const Gone&) = delete;
  RunnerState& state;
};

}  // namespace

// Shut, not closed: whoever waits for them wakes, and no other descriptor gets their numbers meanwhile.
void RunnerState::end(const sandbox::SandboxExit& how) {
  if (exit) return;
  exit = how;
  end_call();
  processes = 0;
  ::shutdown(control.get(), SHUT_RDWR);
  (void)::eventfd_write(is_over.get(), 1);
  if (thawed) thawed->notify();
}

Task<void> run_memory_runner(std::shared_ptr<RunnerState> state, Scheduler& scheduler, const MemoryFunctions& functions,
                             std::string name) {
  const Gone gone(*state);
  co_await Runner(state, scheduler).serve(functions, std::move(name));
}

Task<void> run_memory_builder(std::shared_ptr<RunnerState> state, Scheduler& scheduler) {
  const Gone gone(*state);
  co_await Runner(state, scheduler).build();
}

}  // namespace infra::sim
