// A sandbox without processes, whose runner says what a test wants.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <thread>

#include "core/limits.h"
#include "sandbox/launcher.h"

namespace infra::worker {

// Its runner is ready, and silent but for what the test has it say.
class PretendedSandbox : public sandbox::Sandbox {
 public:
  PretendedSandbox(std::int64_t peak_bytes, int& frozen) : peak_bytes_(peak_bytes), frozen_(frozen) {
    int pair[2] = {-1, -1};
    int pipes[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    EXPECT_EQ(::pipe2(pipes, O_CLOEXEC | O_NONBLOCK), 0);
    handles_.control = pair[0];
    handles_.stdout_pipe = pipes[0];
    handles_.stderr_pipe = ::dup(pipes[0]);
    theirs_ = pair[1];
    out_ = pipes[1];
    say(R"({"ready":true})");
  }
  ~PretendedSandbox() override {
    for (const int fd : {handles_.control, handles_.stdout_pipe, handles_.stderr_pipe, theirs_, out_}) ::close(fd);
  }
  void say(std::string_view body) const {
    std::string frame(4, '\0');
    frame[0] = static_cast<char>(body.size());
    frame += body;
    EXPECT_EQ(::send(theirs_, frame.data(), frame.size(), MSG_NOSIGNAL), static_cast<ssize_t>(frame.size()));
  }
  // What it was sent since it was last asked.
  [[nodiscard]] std::string heard() const {
    std::array<char, 4096> text;
    const ssize_t size = ::recv(theirs_, text.data(), text.size(), MSG_DONTWAIT);
    return {text.data(), size > 0 ? static_cast<std::size_t>(size) : 0};
  }
  sandbox::SandboxHandles& handles() override { return handles_; }
  void kill() override {}
  sandbox::SandboxExit wait(milliseconds) override { return {}; }
  sandbox::SandboxUsage usage() override { return {.cpu_us = 1, .peak_memory_bytes = peak_bytes_}; }
  void reset_peak() override { peak_bytes_ = std::min(peak_bytes_, held_bytes_); }
  void give_back_but(int held_mb) { held_bytes_ = held_mb * static_cast<std::int64_t>(limits::kMiB); }
  bool has_output() override { return false; }
  sandbox::OutputTree take_output(milliseconds) override { return {}; }
  sandbox::SandboxState look() override { return {}; }
  void freeze() override { ++frozen_; }
  void thaw() override { --frozen_; }

 protected:
  [[nodiscard]] int their_end() const { return theirs_; }

 private:
  std::int64_t peak_bytes_;
  std::int64_t held_bytes_ = peak_bytes_;
  int& frozen_;
  sandbox::SandboxHandles handles_;
  int theirs_ = -1;
  int out_ = -1;
};

// Its runner gives each question the same answer, as soon as it has come, or none if that is empty; killed, it is gone.
class AnsweringSandbox : public PretendedSandbox {
 public:
  explicit AnsweringSandbox(std::string answer, std::function<void()> on_question = {})
      : PretendedSandbox(0, frozen_times_) {
    runner_ = std::thread([this, answer = std::move(answer), on_question = std::move(on_question)] {
      std::array<char, 4096> question;  // in one piece: they are small
      while (::recv(their_end(), question.data(), question.size(), 0) > 0) {
        if (on_question) on_question();
        if (!answer.empty()) say(answer);
      }
    });
  }
  ~AnsweringSandbox() override {
    AnsweringSandbox::kill();
    runner_.join();
  }
  AnsweringSandbox(const AnsweringSandbox&) = delete;
  AnsweringSandbox& operator=(const AnsweringSandbox&) = delete;

  void kill() override { ::shutdown(their_end(), SHUT_RDWR); }

 private:
  int frozen_times_ = 0;
  std::thread runner_;
};

}  // namespace infra::worker
