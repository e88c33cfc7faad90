// A frame of docs/runner-protocol.md as it comes from a process that a function shares: bounded by what was asked for,
// checked while it comes, and refused at the first byte that can't be right.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/json_object_scanner.h"
#include "core/limits.h"

namespace infra::worker {

// What a frame may be.
struct FrameKind {
  std::size_t max_bytes = 0;
  bool object = true;  // a JSON object, whose members are wanted; else any bytes
};

inline constexpr FrameKind kReadyFrame{.max_bytes = 1024};
// The largest result, and what may stand beside it.
inline constexpr FrameKind kAnswerFrame{.max_bytes = limits::kMaxResultBytes + std::size_t{64} * 1024};
inline constexpr FrameKind kProgramFrame{.max_bytes = 32 * limits::kMiB, .object = false};

inline constexpr std::size_t kFrameHeader = 4;
// What is read at once, and counted in no budget: each call holds this much at the most.
inline constexpr std::size_t kSmallFrame = std::size_t{64} * 1024;

struct Frame {
  std::string text;
  std::vector<MemberRange> members;  // of an object
};

class FrameReader {
 public:
  explicit FrameReader(const FrameKind& kind);

  enum class State : std::uint8_t { reading, whole, refused };
  State take(std::string_view bytes);

  [[nodiscard]] State state() const { return state_; }
  // Its length, once the header has come.
  [[nodiscard]] std::optional<std::size_t> size() const { return size_; }
  // Why it is refused: result_not_json if it is nested too deeply, else runner_broken.
  [[nodiscard]] const Error& refusal() const { return refusal_; }
  // Room for all of it, for who has the right to that.
  void reserve() { frame_.text.reserve(size_.value_or(0)); }

  [[nodiscard]] const Frame& frame() const { return frame_; }
  [[nodiscard]] Frame take_frame() { return std::move(frame_); }
  // Frees what has come.
  void let_go();

 private:
  std::string_view take_header(std::string_view bytes);
  void end();
  void refuse(Error why);
  void refuse_text();

  FrameKind kind_;
  State state_ = State::reading;
  std::array<char, kFrameHeader> header_{};
  std::size_t header_size_ = 0;
  std::optional<std::size_t> size_;
  JsonObjectScanner scanner_;
  Frame frame_;
  Error refusal_;
};

// `body` with its length before it.
[[nodiscard]] std::string framed(std::string_view body);

}  // namespace infra::worker
