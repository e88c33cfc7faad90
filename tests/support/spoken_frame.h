// A runner that says what it likes: frames of any size, made as they are sent and held nowhere.
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "sandbox/launcher.h"

namespace infra::testing {

struct SpokenFrame {
  std::string_view name;
  std::string_view begin;
  std::string_view unit;  // again and again
  std::string_view end;
  std::size_t bytes;  // of about so much in all

  [[nodiscard]] std::size_t units() const { return (bytes - begin.size() - end.size()) / unit.size(); }
  [[nodiscard]] std::size_t size() const { return begin.size() + units() * unit.size() + end.size(); }
};

// What is no answer to the call "r", and costs most where it is taken for one. All but the last are no longer than an
// answer may be.
inline std::vector<SpokenFrame> useless_frames() {
  constexpr std::size_t kMost = 6 * 1024 * 1024;
  return {
      {"a million values where the id belongs", R"({"ok":true,"value":1,"requestId":[0)", ",0", "]}", kMost},
      {"a value that breaks at its end", R"({"requestId":"r","ok":true,"value":[0)", ",0", ",]}", kMost},
      {"another call's answer", R"({"requestId":"q","ok":true,"value":")", "text", R"("})", kMost},
      {"escapes in a message of no code", R"({"requestId":"r","code":"none","message":")", "\\u0041", R"("})", kMost},
      {"objects where a time belongs", R"({"requestId":"r","ok":true,"handlerMs":[{})", R"(,{"a":1})", "]}", kMost},
      {"as long as a frame could once be", R"({"requestId":"r","ok":true,"value":[0)", ",0", "]}",
       std::size_t{32} * 1024 * 1024}};
}

// Says one frame to whoever reads the other end, until that goes.
class Speaker {
 public:
  explicit Speaker(const SpokenFrame& frame) : frame_(frame) {
    std::array<int, 2> ends{-1, -1};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) std::abort();
    handles_.control = ends[0];
    reader_.reset(ends[0]);
    writer_.reset(ends[1]);
    while (block_.size() + frame_.unit.size() <= kBlock) block_ += frame_.unit;
    thread_ = std::thread([this] { speak(); });
  }
  ~Speaker() {
    reader_.reset();
    thread_.join();
  }
  Speaker(const Speaker&) = delete;
  Speaker& operator=(const Speaker&) = delete;

  [[nodiscard]] const sandbox::SandboxHandles& handles() const { return handles_; }

 private:
  static constexpr std::size_t kBlock = std::size_t{64} * 1024;

  void speak() {
    std::array<char, 4> header{};
    for (std::size_t i = 0; i < header.size(); ++i) header[i] = static_cast<char>((frame_.size() >> (8 * i)) & 0xff);
    bool heard = say({header.data(), header.size()}) && say(frame_.begin);
    for (std::size_t left = frame_.units() * frame_.unit.size(); heard && left > 0;) {
      const auto part = std::string_view(block_).substr(0, left);
      heard = say(part);
      left -= part.size();
    }
    if (heard) say(frame_.end);
  }
  bool say(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::send(writer_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
  }

  const SpokenFrame frame_;
  sandbox::UniqueFd reader_, writer_;
  sandbox::SandboxHandles handles_;
  std::string block_;
  std::thread thread_;
};

}  // namespace infra::testing
