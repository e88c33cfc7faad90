#include "worker/runner/exchange.h"

#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "core/error_codes.h"
#include "core/job_result.h"
#include "core/limits.h"
#include "core/text.h"

namespace infra::worker {
namespace {

using std::chrono::steady_clock;

constexpr std::size_t kMaxFrame = 32 * limits::kMiB;   // docs/runner-protocol.md
constexpr auto kStartTime = std::chrono::seconds(20);  // a cold Node.js takes 0.1 s; a loaded machine many times that
constexpr std::size_t kHeader = 4;
constexpr std::size_t kChunk = 64 * 1024;  // a pipe's capacity, which a function can't raise
// What is thrown away is read at one pipe's fill a pause: reading it as fast as it comes would cost the worker as much
// time as the function, and none of it counts against the function's share.
constexpr int kDiscardPauseMs = 1;

std::string framed(std::string_view body) {
  std::string frame(kHeader, '\0');
  for (std::size_t i = 0; i < kHeader; ++i) frame[i] = static_cast<char>((body.size() >> (8 * i)) & 0xff);
  return frame.append(body);
}

// False at the end of the stream. Bounded, because a function may write as fast as this reads.
bool read_pipe(int fd, Captured& into, int rounds = 64) {
  std::array<char, kChunk> chunk;
  if (into.cut) rounds = 1;
  for (int round = 0; round < rounds; ++round) {
    const ssize_t count = ::read(fd, chunk.data(), chunk.size());
    if (count > 0) {
      into.append({chunk.data(), static_cast<std::size_t>(count)});
      if (static_cast<std::size_t>(count) < chunk.size()) return true;
    } else if (count == 0 || errno != EINTR) {
      return count != 0 && errno == EAGAIN;
    }
  }
  return true;
}

int time_left(steady_clock::time_point deadline) {
  const auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 1'000'000'000));
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

Conversation::Conversation(const sandbox::SandboxHandles& handles, std::string_view question, std::string_view before)
    : handles_(handles),
      outgoing_((before.empty() ? "" : framed(before)) + (question.empty() ? "" : framed(question))),
      polled_{pollfd{handles.control, POLLIN, 0}, pollfd{handles.stdout_pipe, POLLIN, 0},
              pollfd{handles.stderr_pipe, POLLIN, 0}} {}

bool Conversation::send() {
  if (!ended_ && sent_ < outgoing_.size()) send_some();
  return !ended_ && sent_ == outgoing_.size();
}

bool Conversation::receive() {
  if (!ended_) receive_some();
  return ended_ && result_.end == ExchangeEnd::answered;
}

bool Conversation::watch(steady_clock::time_point until) {
  bool answered = receive();
  while (!ended_ && steady_clock::now() < until) {
    ::sched_yield();
    answered = receive();
  }
  return answered;
}

Exchange Conversation::finish(steady_clock::time_point deadline) {
  send();
  while (!ended_) {
    polled_[0].events = static_cast<short>(sent_ < outgoing_.size() ? POLLIN | POLLOUT : POLLIN);
    const int ready = ::poll(polled_.data(), polled_.size(), time_left(deadline));
    if (ready == 0) {
      end(ExchangeEnd::timed_out);
    } else if (ready > 0) {
      take_output();
      if ((polled_[0].revents & POLLOUT) != 0) send_some();
      if ((polled_[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0 && !ended_) receive_some();
      // One that prints without pause keeps poll() from ever timing out.
      if (!ended_ && steady_clock::now() >= deadline) end(ExchangeEnd::timed_out);
      if (!ended_) pause_if_discarding();
    } else if (errno != EINTR) {
      end(ExchangeEnd::broken);
    }
  }
  drain_output(handles_, result_.out, result_.err);
  return std::move(result_);
}

void Conversation::end(ExchangeEnd how) {
  result_.end = how;
  ended_ = true;
}

void Conversation::take_output() {
  if (polled_[1].revents != 0 && !read_pipe(polled_[1].fd, result_.out)) polled_[1].fd = -1;
  if (polled_[2].revents != 0 && !read_pipe(polled_[2].fd, result_.err)) polled_[2].fd = -1;
}

void Conversation::pause_if_discarding() {
  const bool out = polled_[1].revents != 0 && result_.out.cut;
  const bool err = polled_[2].revents != 0 && result_.err.cut;
  if (out || err) ::poll(polled_.data(), 1, kDiscardPauseMs);
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
  std::array<char, kChunk> chunk;
  const ssize_t count = ::recv(handles_.control, chunk.data(), chunk.size(), MSG_DONTWAIT);
  if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) return end(ExchangeEnd::closed);
  if (count < 0) return;
  incoming_.append(chunk.data(), static_cast<std::size_t>(count));
  if (incoming_.size() < kHeader) return;
  std::size_t size = 0;
  for (std::size_t i = 0; i < kHeader; ++i) size |= std::size_t{static_cast<unsigned char>(incoming_[i])} << (8 * i);
  if (size > kMaxFrame || incoming_.size() > kHeader + size) return end(ExchangeEnd::broken);
  if (incoming_.size() < kHeader + size) return;
  result_.answer = incoming_.substr(kHeader);
  end(sent_ == outgoing_.size() ? ExchangeEnd::answered : ExchangeEnd::broken);
}

Exchange exchange(const sandbox::SandboxHandles& handles, std::string_view question,
                  steady_clock::time_point deadline) {
  return Conversation(handles, question).finish(deadline);
}

Result<void> await_ready(const sandbox::SandboxHandles& handles, std::string_view what) {
  Exchange hello = exchange(handles, "", steady_clock::now() + kStartTime);
  if (hello.end == ExchangeEnd::answered && hello.answer == R"({"ready":true})") return {};
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
