#include "worker/runner/exchange.h"

#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <span>

#include "core/error_codes.h"
#include "core/limits.h"
#include "core/text.h"

namespace infra::worker {
namespace {

constexpr auto kStartTime = std::chrono::seconds(20);  // a cold Node.js takes 0.1 s; a loaded machine many times that
constexpr std::size_t kChunk = kSmallFrame;            // a pipe's capacity, which a function can't raise
// For what is left of a large frame, once there is room for it: room that others wait for. Written in one go it takes
// milliseconds, and on a small share of a loaded machine seconds.
constexpr auto kLargeFrameTime = std::chrono::seconds(10);
// What is thrown away is read at one pipe's fill a pause: reading it as fast as it comes would cost the worker as much
// time as the function, and none of it counts against the function's share.
constexpr milliseconds kDiscardPause{1};
constexpr milliseconds kUnheard{10};  // between looks for room, where no descriptor is left to be told by

constexpr int kRounds = 64;

// False at the end of the stream. Bounded, because a function may write as fast as this reads.
bool read_pipe(int fd, Captured& into, int rounds = kRounds, ShownLines* shown = nullptr) {
  std::array<char, kChunk> chunk;
  if (into.cut) rounds = 1;
  for (int round = 0; round < rounds; ++round) {
    const ssize_t count = ::read(fd, chunk.data(), chunk.size());
    if (count > 0) {
      into.append({chunk.data(), static_cast<std::size_t>(count)});
      if (shown != nullptr && !into.cut) shown->append({chunk.data(), static_cast<std::size_t>(count)});
      if (static_cast<std::size_t>(count) < chunk.size()) return true;
    } else if (count == 0 || errno != EINTR) {
      return count != 0 && errno == EAGAIN;
    }
  }
  return true;
}

}  // namespace

void Captured::append(std::string_view part) {
  const std::size_t room = limits::kMaxOutputBytes - text.size();
  if (part.size() > room) cut = true;
  text.append(part.substr(0, room));
}

std::string Captured::take() {
  std::string taken = std::move(text);
  if (cut) {
    taken.resize(cut_utf8(taken, taken.size() - 1).size());  // may have been cut inside a character
    taken += "\n[cut: 1 MiB of output is kept]\n";
  }
  text.clear();
  cut = false;
  return taken;
}

Conversation::Conversation(const sandbox::SandboxHandles& handles, Clock& clock, const Asked& asked,
                           std::string_view question, std::string_view before)
    : handles_(handles),
      clock_(clock),
      asked_(asked),
      outgoing_((before.empty() ? "" : framed(before)) + (question.empty() ? "" : framed(question))),
      reader_(asked.kind),
      polled_{pollfd{handles.control, POLLIN, 0}, pollfd{handles.stdout_pipe, POLLIN, 0},
              pollfd{handles.stderr_pipe, POLLIN, 0}, pollfd{-1, POLLIN, 0}} {}

bool Conversation::send() {
  if (!ended_ && sent_ < outgoing_.size()) send_some();
  return !ended_ && sent_ == outgoing_.size();
}

bool Conversation::receive() {
  if (!ended_) receive_some();
  return ended_ && result_.end == ExchangeEnd::answered;
}

bool Conversation::watch(SteadyTime until) {
  bool answered = receive();
  SteadyTime before;
  for (SteadyTime now = clock_.steady_now(); !ended_ && now < until && now != before; now = clock_.steady_now()) {
    before = now;
    ::sched_yield();
    answered = receive();
  }
  return answered;
}

Exchange Conversation::finish(SteadyTime deadline) {
  send();
  while (!ended_) {
    const bool waits = waits_for_room();
    const bool unsent = sent_ < outgoing_.size();
    polled_[0].events = static_cast<short>(waits ? 0 : unsent ? POLLIN | POLLOUT : POLLIN);
    polled_[3].fd = waits ? room_.get() : -1;
    SteadyTime until = give_up_at(deadline);
    if (waits && !room_.valid()) until = std::min(until, clock_.steady_now() + kUnheard);
    const int ready = clock_.poll(polled_, until);
    if (ready > 0) {
      take_output();
      if ((polled_[0].revents & POLLOUT) != 0) send_some();
      const bool gone = (polled_[0].revents & (POLLHUP | POLLERR)) != 0;
      if (waits && gone && !ended_) end(ExchangeEnd::closed);
      if ((gone || (polled_[0].revents & POLLIN) != 0) && !ended_) receive_some();
    } else if (ready < 0 && errno != EINTR) {
      end(ExchangeEnd::broken);
    }
    // One that prints without pause keeps poll() from ever timing out.
    const SteadyTime now = clock_.steady_now();
    if (!ended_ && now >= deadline) end(ExchangeEnd::timed_out);
    if (!ended_ && now >= give_up_at(deadline)) refuse({errors::runner_broken, "The answer stopped before its end."});
    if (!ended_) pause_if_discarding();
  }
  drain_rest(result_);
  result_.answer = reader_.take_frame();
  result_.claim = std::move(claim_);
  return std::move(result_);
}

void Conversation::drain_rest(Exchange& talk) {
  read_pipe(handles_.stdout_pipe, talk.out, 1, shown_ ? &shown_->out : nullptr);
  read_pipe(handles_.stderr_pipe, talk.err, 1, shown_ ? &shown_->err : nullptr);
  if (shown_ == nullptr) return;
  shown_->out.flush();
  shown_->err.flush();
}

void Conversation::show_output(LiveEvents& live, const FunctionId& function, const RequestId& request) {
  shown_ = std::make_unique<ShownOutput>(live, clock_, function, request);
}

void Conversation::end(ExchangeEnd how) {
  result_.end = how;
  ended_ = true;
  if (how == ExchangeEnd::answered) return;
  reader_.let_go();  // before others get its room
  claim_.reset();
}

void Conversation::refuse(Error why) {
  end(ExchangeEnd::broken);
  result_.refusal = std::move(why);
}

SteadyTime Conversation::give_up_at(SteadyTime deadline) const {
  return reading_large_ ? std::min(deadline, due_) : deadline;
}

void Conversation::take_output() {
  ShownLines* const out = shown_ ? &shown_->out : nullptr;
  ShownLines* const err = shown_ ? &shown_->err : nullptr;
  if (polled_[1].revents != 0 && !read_pipe(polled_[1].fd, result_.out, kRounds, out)) polled_[1].fd = -1;
  if (polled_[2].revents != 0 && !read_pipe(polled_[2].fd, result_.err, kRounds, err)) polled_[2].fd = -1;
}

void Conversation::pause_if_discarding() {
  const bool out = polled_[1].revents != 0 && result_.out.cut;
  const bool err = polled_[2].revents != 0 && result_.err.cut;
  if (out || err) clock_.poll(std::span(polled_).first(1), clock_.steady_now() + kDiscardPause);
}

void Conversation::send_some() {
  const ssize_t count =
      ::send(handles_.control, outgoing_.data() + sent_, outgoing_.size() - sent_, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (count > 0) {
    sent_ += static_cast<std::size_t>(count);
  } else if (count < 0 && errno != EAGAIN && errno != EINTR) {
    end(ExchangeEnd::closed);
  }
}

void Conversation::receive_some() {
  if (waits_for_room()) return;
  std::array<char, kChunk> chunk;
  const ssize_t count = ::recv(handles_.control, chunk.data(), chunk.size(), MSG_DONTWAIT);
  if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) return end(ExchangeEnd::closed);
  if (count > 0) take({chunk.data(), static_cast<std::size_t>(count)});
}

void Conversation::take(std::string_view bytes) {
  switch (reader_.take(bytes)) {
    case FrameReader::State::refused:
      return refuse(reader_.refusal());
    case FrameReader::State::reading:
      if (!claim_ && reader_.size().value_or(0) > kSmallFrame) claim_room();
      return;
    case FrameReader::State::whole:
      return end(sent_ == outgoing_.size() ? ExchangeEnd::answered : ExchangeEnd::broken);
  }
}

void Conversation::claim_room() {
  if (asked_.budget == nullptr) return refuse({errors::runner_broken, "The answer is too large to be read."});
  room_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  claim_ = asked_.budget->claim(asked_.owner, *reader_.size() * asked_.cost,
                                [room = room_.get()] { (void)::eventfd_write(room, 1); });
}

// Before the rest of a large frame is read.
bool Conversation::waits_for_room() {
  if (!claim_ || reading_large_) return false;
  if (!claim_->granted()) return true;
  reading_large_ = true;
  due_ = clock_.steady_now() + kLargeFrameTime;
  reader_.reserve();
  return false;
}

Exchange exchange(const sandbox::SandboxHandles& handles, Clock& clock, const Asked& asked, std::string_view question,
                  SteadyTime deadline) {
  return Conversation(handles, clock, asked, question).finish(deadline);
}

Result<void> await_ready(const sandbox::SandboxHandles& handles, Clock& clock, std::string_view what) {
  Exchange hello = exchange(handles, clock, {.kind = kReadyFrame}, "", clock.steady_now() + kStartTime);
  if (hello.end == ExchangeEnd::answered && hello.answer.text == R"({"ready":true})") return {};
  const std::string said = hello.err.take();
  return fail(errors::sandbox_failed,
              fmt::format("{} did not start{}{}", what, said.empty() ? "." : ": ", cut_utf8(said, 500)));
}

void drain_output(const sandbox::SandboxHandles& handles, Captured& out, Captured& err) {
  read_pipe(handles.stdout_pipe, out, 1);
  read_pipe(handles.stderr_pipe, err, 1);
}

void ask_to_trim(const sandbox::SandboxHandles& handles) {
  const std::string nothing = framed("");
  (void)::send(handles.control, nothing.data(), nothing.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

bool is_quiet(const sandbox::SandboxHandles& handles) {
  pollfd control{handles.control, POLLIN | POLLRDHUP, 0};
  return ::poll(&control, 1, 0) == 0;
}

}  // namespace infra::worker
