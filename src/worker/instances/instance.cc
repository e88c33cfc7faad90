#include "worker/instances/instance.h"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <limits>

#include "core/error_codes.h"
#include "core/text.h"
#include "core/trace_context.h"
#include "worker/instances/call_frame.h"
#include "worker/instances/outcome.h"
#include "worker/runner/exchange.h"

namespace infra::worker {
namespace {

using CallEnd = InstanceState::CallEnd;

constexpr milliseconds kExitPatience{1000};
constexpr milliseconds kOutputPatience{5000};  // opening twenty files takes far less than one
constexpr milliseconds kLoadPatience{60'000};
constexpr int kUncountedMb = 1;  // an instance's namespaces, mounts and page tables, which no group is charged for

constexpr std::chrono::microseconds kFirstPause{100};
constexpr std::chrono::microseconds kLastPause{6400};  // 8.5 ms together
constexpr int kSocketsOfAConnection = 2;               // both of its ends are in the sandbox's network
constexpr std::uint64_t kMostExcused = 10'000;

// A warm call that takes longer is finished on the pool. Long enough for most, and short enough for a pipe to hold what
// is printed meanwhile, because it is not read.
constexpr milliseconds kSoon{5};
// Of calls as short as this the next is waited for awake: putting a processor to sleep and waking it costs 20 to 50 µs
// on virtual machines, twice a call, and what it knew by heart.
constexpr std::chrono::microseconds kAtOnce{300};
constexpr std::size_t kSmallInput = 64 * 1024;  // goes into the socket at once
// Of a large answer: its value, that again as stdout's last line, and what of the two is written to be stored.
constexpr std::uint64_t kCostOfAnswer = 4;

Asked ask_for_answer(const Job& job, const CallSetup& setup) {
  return {.kind = kAnswerFrame, .budget = setup.frames, .owner = job.function_id.value, .cost = kCostOfAnswer};
}

int held_by(std::int64_t peak_bytes) {
  return static_cast<int>(peak_bytes / static_cast<std::int64_t>(limits::kMiB)) + kUncountedMb;
}

// One that a signal ended; its process is on its way out as well.
bool is_killed_script(const Result<Answer>& answer) {
  return answer && answer->plain && answer->exit_code >= 128;
}

}  // namespace

struct CallUnderWay {
  CallUnderWay(const Job& j, const CallSetup& s) : job(j), setup(s) {}

  const Job& job;
  const CallSetup& setup;
  JobResult result;
  SteadyTime begun;
  sandbox::SandboxUsage before;              // of the calls before this one
  std::optional<Conversation> conversation;  // once it has begun
  SteadyTime deadline;
  Exchange talk;
  std::optional<Result<Answer>> answer;  // once it has been read
  bool found_no_output = false;          // the folder for output files has just been looked into
  sandbox::SandboxUsage used;
  sandbox::SandboxState after;  // with the output files still in it
  // Whether the runner has left it fit for another call; leftovers may yet say otherwise.
  InstanceState::CallEnd end = InstanceState::CallEnd::unfit;
};

Result<InstancePtr> Instance::start(InstanceKey key, CodeClaim code, sandbox::Launcher& launcher, Clock& clock,
                                    AiProxy* ai) {
  const SteadyTime begun = clock.steady_now();
  auto sandbox = launcher.launch({.runtime = key.runtime,
                                  .version = code->folder,
                                  .memory_mb = key.memory_mb,
                                  .egress = key.network == Network::egress,
                                  .thread_pool = thread_pool_size(key.runtime, key.env)});
  if (!sandbox) return fail(sandbox.error());
  InstancePtr instance(new Instance(std::move(key), std::move(code), std::move(*sandbox), clock));
  // Nothing of the user's has run yet, so what it prints is the interpreter's own.
  if (auto ready = await_ready(instance->sandbox_->handles(), clock, "The runner"); !ready) return fail(ready.error());
  instance->at_rest_ = instance->sandbox_->look();
  instance->scratch_bytes_ = instance->at_rest_.scratch_bytes;
  instance->cold_start_ms_ = instance->ms_since(begun);
  auto& handles = instance->sandbox_->handles();
  if (ai != nullptr && handles.ai_listener >= 0) instance->ai_ = ai->serve(std::exchange(handles.ai_listener, -1));
  return instance;
}

JobResult Instance::call(const Job& job, const CallSetup& setup) {
  CallUnderWay call(job, setup);
  complete_blocking(call);
  return std::move(call.result);
}

Task<JobResult> Instance::call(const Job& job, const CallSetup& setup, Executor& executor) {
  CallUnderWay call(job, setup);
  bool soon = call.found_no_output = can_begin_at_once(job);
  if (soon) {
    begin(call);
    soon = call.conversation->send() &&
           (is_answered_at_once(call) || co_await executor.readable(sandbox_->handles().control, kSoon));
    soon = call.found_no_output = soon && is_answered_for_good(call);
  }
  if (!soon) {
    co_await executor.offload([&] { complete_blocking(call); });
    co_return std::move(call.result);
  }
  take_answer(call);
  if (call.end == CallEnd::reusable && leftover_in(call.after) != Leftover::nothing) {
    co_await executor.offload([&] { check_leftovers(call); });
  }
  state_.end_call(call.end);
  co_return std::move(call.result);
}

// From where it is: not begun, or on its way.
void Instance::complete_blocking(CallUnderWay& call) {
  if (!call.conversation) begin(call);
  take_answer(call);
  if (call.end == CallEnd::reusable) check_leftovers(call);
  state_.end_call(call.end);
}

// A cold call takes long, and what an earlier one left in the folder for output files is to be thrown away first.
bool Instance::can_begin_at_once(const Job& job) const {
  return state_.state() != State::fresh && job.input.size() <= kSmallInput && !sandbox_->has_output();
}

void Instance::begin(CallUnderWay& call) {
  const Job& job = call.job;
  call.result.request_id = job.request_id;
  call.result.trace_id = trace_id_in(job.traceparent);
  call.result.function_id = job.function_id;
  call.result.allocated_memory_mb = job.memory_mb;
  const InstanceState::Found found = state_.begin_call();
  call.result.cold_start = found.cold;
  if (found.frozen) sandbox_->thaw();
  call.begun = clock_.steady_now();
  if (!call.result.cold_start) {
    // Output that threads of an earlier call have printed or written since belongs to no call any more.
    Captured stale;
    drain_output(sandbox_->handles(), stale, stale);
    if (!call.found_no_output) (void)sandbox_->take_output(kOutputPatience);
    call.before = sandbox_->usage();
    sandbox_->reset_peak();
  }
  const CallFrame frame{.job = job,
                        .model_id = call.setup.model_id,
                        .deadline = call.setup.deadline,
                        .ai_port = ai_ ? sandbox_->handles().ai_port : std::uint16_t{0}};
  const bool starts = is_compiled(key_.runtime) && found.first;
  call.conversation.emplace(sandbox_->handles(), clock_, ask_for_answer(job, call.setup), to_json(frame),
                            starts ? to_start_json(frame) : std::string());
  LiveEvents* const live = call.setup.live;
  if (live != nullptr && live->is_wanted()) call.conversation->show_output(*live, job.function_id, job.request_id);
  call.deadline = clock_.steady_now() + job.timeout;
}

bool Instance::is_answered_at_once(CallUnderWay& call) const {
  const bool was_short = std::chrono::duration<double, std::milli>(kAtOnce).count() > last_call_ms_;
  return call.setup.alone && was_short && call.conversation->watch(clock_.steady_now() + kAtOnce);
}

// Whether it is answered, and nothing is left to do that blocks.
bool Instance::is_answered_for_good(CallUnderWay& call) const {
  if (!call.conversation->receive() || sandbox_->has_output()) return false;
  call.answer = parse_answer(call.conversation->take_answer(), call.job.request_id);
  return !is_killed_script(*call.answer);
}

void Instance::take_answer(CallUnderWay& call) {
  JobResult& result = call.result;
  call.talk = call.conversation->finish(call.deadline);
  if (call.talk.end == ExchangeEnd::answered && !call.answer)
    call.answer = parse_answer(std::move(call.talk.answer), call.job.request_id);
  const bool large = call.answer && *call.answer && (*call.answer)->value.size() > kSmallFrame;
  if (large) result.claim = std::move(call.talk.claim);  // else nothing is left of what it was for
  call.talk.claim.reset();
  call.used = sandbox_->usage();
  call.after = sandbox_->look();
  const bool may_have_output = call.talk.end == ExchangeEnd::answered && !call.found_no_output;
  output_ = may_have_output ? sandbox_->take_output(kOutputPatience) : sandbox::OutputTree{};
  apply_end(call);
  result.cpu_usage_us = std::max<std::int64_t>(0, call.used.cpu_us - call.before.cpu_us);
  result.peak_memory_bytes = call.used.peak_memory_bytes;
  result.network_rx = std::max<std::int64_t>(0, call.used.network_rx - call.before.network_rx);
  result.network_tx = std::max<std::int64_t>(0, call.used.network_tx - call.before.network_tx);
  result.disk_read = std::max<std::int64_t>(0, call.used.disk_read_bytes - call.before.disk_read_bytes);
  const std::int64_t scratch = call.after.scratch_bytes;
  result.disk_write = std::max<std::int64_t>(0, scratch - std::exchange(scratch_bytes_, scratch)) +
                      std::max<std::int64_t>(0, call.after.output_bytes - at_rest_.output_bytes);
  held_mb_ = held_by(call.used.peak_memory_bytes);
  last_call_ms_ = ms_since(call.begun);
  if (result.cold_start) cold_start_ms_ += std::max(0.0, ms_since(call.begun) - result.handler_ms.value_or(0));
  if (ai_) result.llm_tokens = ai_->take_tokens();
}

Result<void> Instance::load(const Job& job, const CallSetup& setup) {
  const SteadyTime begun = clock_.steady_now();
  state_.begin_load();
  Result<void> loaded;
  if (!is_compiled(key_.runtime)) loaded = load_code(job, setup);  // a program begins with its first call
  held_mb_ = held_by(sandbox_->peak_memory_bytes());
  cold_start_ms_ += ms_since(begun);
  if (ai_) (void)ai_->take_tokens();
  state_.end_call(loaded ? CallEnd::reusable : CallEnd::unfit);
  return loaded;
}

Result<void> Instance::load_code(const Job& job, const CallSetup& setup) {
  const CallFrame frame{.job = job,
                        .model_id = setup.model_id,
                        .deadline = setup.deadline,
                        .ai_port = ai_ ? sandbox_->handles().ai_port : std::uint16_t{0},
                        .only_load = true};
  const SteadyTime deadline = clock_.steady_now() + std::min(job.timeout, kLoadPatience);
  Exchange talk = exchange(sandbox_->handles(), clock_, ask_for_answer(job, setup), to_json(frame), deadline);
  if (talk.end == ExchangeEnd::answered) {
    const auto answer = parse_answer(std::move(talk.answer), job.request_id);
    if (answer && answer->ok) return {};
    if (answer && answer->failure != nullptr) return fail(answer->failure->as(ErrorKind::unusable), answer->message);
  }
  return fail(errors::import_error, "The code's process ended, or did not load it in time.");
}

void Instance::apply_end(CallUnderWay& call) {
  const Job& job = call.job;
  JobResult& result = call.result;
  const ExchangeEnd ended = call.talk.end;
  leftover_ = Leftover::nothing;
  const bool script_killed = call.answer && is_killed_script(*call.answer);
  sandbox::SandboxExit exit;
  bool outlived_socket = false;
  if (ended != ExchangeEnd::answered || script_killed) {
    if (ended != ExchangeEnd::closed) sandbox_->kill();
    const SteadyTime began = clock_.steady_now();
    exit = sandbox_->wait(kExitPatience);
    outlived_socket = ended == ExchangeEnd::closed && exit.signal == SIGKILL && !exit.out_of_memory &&
                      clock_.steady_now() - began >= kExitPatience;
    call.conversation->drain_rest(call.talk);
    call.used = sandbox_->usage();
  }
  result.out = call.talk.out.take();
  result.err = call.talk.err.take();
  if (aborted_ && ended == ExchangeEnd::closed) call.end = CallEnd::interrupted;

  if (ended == ExchangeEnd::timed_out) return apply_timeout(result, job);
  // One that closed the socket and went on was killed by us: its signal says nothing.
  if (ended == ExchangeEnd::closed && !outlived_socket) return apply_exit(result, exit, job.memory_mb);
  if (call.talk.refusal) return apply_refusal(result, *call.talk.refusal);
  if (ended == ExchangeEnd::broken || outlived_socket) return apply_broken(result);
  Result<Answer>& answer = *call.answer;
  if (!answer) return apply_refusal(result, answer.error());
  if (script_killed && exit.out_of_memory) return apply_exit(result, exit, job.memory_mb);
  const bool reusable = answer->reusable && !script_killed && output_.emptied;
  if (reusable) call.end = CallEnd::reusable;
  leftover_ = reusable ? answer->left : Leftover::nothing;
  apply_answer(result, std::move(*answer), key_.runtime);
}

Leftover Instance::leftover_in(const sandbox::SandboxState& now) const {
  return leftover_ != Leftover::nothing ? leftover_ : compare(at_rest_, now, key_.runtime, excused_sockets());
}

void Instance::check_leftovers(CallUnderWay& call) {
  leftover_ = find_leftover(call.after);
  if (leftover_ != Leftover::nothing) call.end = CallEnd::unfit;
}

// What is about to end may still be counted for a moment: a thread that was joined, a child that just exited.
Leftover Instance::find_leftover(sandbox::SandboxState now) const {
  if (leftover_ != Leftover::nothing) return leftover_;
  for (auto pause = kFirstPause;; pause *= 4) {
    const Leftover left = leftover_in(now);
    if (left == Leftover::nothing || left == Leftover::disk || pause > kLastPause) return left;
    clock_.pause_until(clock_.steady_now() + pause);
    now = sandbox_->look();
  }
}

// With egress a function may keep its connections, whatever their peers are.
int Instance::excused_sockets() const {
  if (key_.network == Network::egress) return std::numeric_limits<int>::max() / 2;
  return ai_ ? kSocketsOfAConnection * static_cast<int>(std::min(ai_->connections(), kMostExcused)) : 0;
}

double Instance::ms_since(SteadyTime begun) const {
  return std::chrono::duration<double, std::milli>(clock_.steady_now() - begun).count();
}

void Instance::give_up_call() {
  if (state_.state() == State::calling) state_.end_call(CallEnd::unfit);
}

void Instance::end() {
  state_.end();
  ai_.reset();
  sandbox_.reset();
}

void Instance::abort() {
  aborted_ = true;
  sandbox_->kill();
}

void Instance::trim() {
  state_.trim();
  if (traits_of(key_.runtime).rests) ask_to_trim(sandbox_->handles());
}

void Instance::freeze() {
  state_.freeze();
  sandbox_->reset_peak();  // what is left of it is what it holds now: runners give memory back when they are idle
  held_mb_ = held_by(sandbox_->peak_memory_bytes());
  sandbox_->freeze();
}

bool Instance::reusable() const {
  return state_.can_be_called() && !aborted_ && is_quiet(sandbox_->handles());
}

}  // namespace infra::worker
