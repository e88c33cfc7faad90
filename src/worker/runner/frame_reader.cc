#include "worker/runner/frame_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/error_codes.h"

namespace infra::worker {
namespace {

constexpr std::size_t kMaxNameBytes = 1024;  // far beyond what the protocol names

Error broken(std::string why) {
  return {errors::runner_broken, std::move(why)};
}

}  // namespace

FrameReader::FrameReader(const FrameKind& kind) : kind_(kind), scanner_(kMaxNameBytes) {}

FrameReader::State FrameReader::take(std::string_view bytes) {
  if (state_ == State::whole && !bytes.empty()) refuse(broken("More came than one answer."));
  if (!size_) bytes = take_header(bytes);
  if (state_ != State::reading || !size_) return state_;
  if (bytes.size() > *size_ - frame_.text.size()) {
    refuse(broken("More came than one answer."));
  } else if (kind_.object && !scanner_.take(bytes)) {
    refuse_text();
  } else {
    frame_.text += bytes;
    if (frame_.text.size() == *size_) end();
  }
  return state_;
}

// What is left of `bytes` behind it.
std::string_view FrameReader::take_header(std::string_view bytes) {
  const std::size_t taken = bytes.copy(header_.data() + header_size_, header_.size() - header_size_);
  header_size_ += taken;
  if (header_size_ < header_.size()) return {};
  std::size_t size = 0;
  for (std::size_t i = 0; i < header_.size(); ++i)
    size |= std::size_t{static_cast<unsigned char>(header_[i])} << (8 * i);
  size_ = size;
  if (size > kind_.max_bytes) {
    refuse(broken(fmt::format("The answer is {} bytes long; at most {} are read.", size, kind_.max_bytes)));
  }
  return bytes.substr(taken);
}

void FrameReader::end() {
  if (kind_.object && !scanner_.finish()) return refuse_text();
  frame_.members = scanner_.take_members();
  state_ = State::whole;
}

// What came of it is of no use any more.
void FrameReader::refuse(Error why) {
  state_ = State::refused;
  refusal_ = std::move(why);
  let_go();
}

// An assignment would keep the text's memory.
void FrameReader::let_go() {
  std::string().swap(frame_.text);
  std::vector<MemberRange>().swap(frame_.members);
}

void FrameReader::refuse_text() {
  switch (scanner_.fault()) {
    case JsonObjectScanner::Fault::too_deep:
      return refuse({errors::result_not_json,
                     fmt::format("The function's result is nested more than {} levels deep.", kMaxJsonDepth)});
    case JsonObjectScanner::Fault::no_object:
      return refuse(broken("The answer is not a JSON object."));
    default:
      return refuse(broken(
          fmt::format("The answer is not valid JSON (at byte {}: {}).", scanner_.position(), scanner_.expected())));
  }
}

std::string framed(std::string_view body) {
  std::string frame(kFrameHeader, '\0');
  for (std::size_t i = 0; i < kFrameHeader; ++i) frame[i] = static_cast<char>((body.size() >> (8 * i)) & 0xff);
  return frame.append(body);
}

}  // namespace infra::worker
