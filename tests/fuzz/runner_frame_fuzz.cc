// What a runner may say, which shares its process with a stranger's function: a frame is the same in pieces as whole,
// never costs more memory than the bytes that came, and an answer holds no more than its frame.
#include <algorithm>
#include <array>
#include <string>

#include "core/json_cursor.h"
#include "fuzz/target.h"
#include "worker/instances/call_frame.h"
#include "worker/runner/frame_reader.h"

namespace infra::fuzz {
namespace {

using worker::FrameKind;
using worker::FrameReader;
using State = FrameReader::State;

constexpr std::size_t kOwnBytes = 8 * 1024;  // of the members' places, of which there are 64, and of small texts

void check_cost(const FrameReader& reader, std::size_t came) {
  const worker::Frame& frame = reader.frame();
  const std::size_t cost = frame.text.capacity() + frame.members.capacity() * sizeof(MemberRange);
  require(cost <= 2 * came + kOwnBytes, "a frame costs what has come of it");
}

FrameReader read_frame(const FrameKind& kind, std::string_view bytes, Cuts cuts) {
  FrameReader reader(kind);
  std::size_t came = 0;
  while (!bytes.empty() && reader.state() != State::refused) {
    const std::string_view piece = cuts.take(bytes);
    came += piece.size();
    reader.take(piece);
    check_cost(reader, came);
  }
  return reader;
}

bool is_json(std::string_view text) {
  JsonCursor cursor(text);
  return cursor.value() && cursor.at_end();
}

void check_answer(worker::Frame frame) {
  const std::size_t bytes = frame.text.size();
  const auto answer = worker::parse_answer(std::move(frame), {"r"});
  if (!answer) return;
  require(answer->ok == (answer->failure == nullptr), "an answer is one or the other");
  require(is_json(answer->value), "a value is JSON");
  require(answer->value.size() <= std::max<std::size_t>(bytes, 4), "a value is a part of its frame");
  require(!answer->text || answer->text->size() <= answer->value.size(), "a text is no longer than its JSON");
  require(answer->message.size() <= bytes, "a message is a part of its frame");
  require(answer->exit_code >= 0 && answer->exit_code <= 255, "an exit code is one");
  require(!answer->handler_ms || *answer->handler_ms >= 0, "time passes forwards");
}

void read_frames(std::string_view input) {
  constexpr FrameKind kTiny{.max_bytes = 64};
  constexpr FrameKind kAnyBytes{.max_bytes = 4096, .object = false};
  const std::uint8_t chosen = take_byte(input);
  const FrameKind kind = std::array{worker::kAnswerFrame, worker::kReadyFrame, kTiny, kAnyBytes}.at(chosen % 4);
  const Cuts cuts(chosen / 4U);
  // Most inputs are the text alone, so that its length need not be guessed; the others bring their own.
  const std::string bytes = chosen < 192 ? worker::framed(input) : std::string(input);

  FrameReader whole = read_frame(kind, bytes, Cuts::none());
  const FrameReader cut = read_frame(kind, bytes, cuts);
  require(whole.state() == cut.state() && whole.size() == cut.size(), "cuts decide nothing");
  if (whole.state() == State::refused) {
    require(!whole.refusal().code.empty() && whole.refusal().code == cut.refusal().code, "what is refused says why");
    require(whole.frame().text.capacity() <= std::string().capacity() &&
                cut.frame().text.capacity() <= std::string().capacity(),
            "what is refused is let go");
    return;
  }
  require(whole.frame().text == cut.frame().text && whole.frame().members.size() == cut.frame().members.size(),
          "cuts change nothing");
  if (whole.state() != State::whole) return;
  require(whole.frame().text.size() == whole.size() && *whole.size() <= kind.max_bytes,
          "a frame is as long as it says");
  if (!kind.object) return;
  require(is_json(whole.frame().text), "an object is JSON");
  check_answer(whole.take_frame());
}

}  // namespace

INFRA_FUZZ_TARGET(runner_frame, read_frames);

}  // namespace infra::fuzz
