#include "core/json_object_scanner.h"

namespace infra {
namespace {

constexpr std::size_t kUsualMembers = 8;
constexpr std::string_view kBom = "\xef\xbb\xbf";
constexpr std::string_view kNothingMore = "nothing more is expected";
constexpr std::string_view kCommaOrEnd = "a comma or } is expected";

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

}  // namespace

bool JsonObjectScanner::take(std::string_view piece) {
  at_ = 0;
  while (at_ < piece.size() && fault_ == Fault::none) step(piece);
  before_ += at_;
  at_ = 0;
  return fault_ == Fault::none;
}

bool JsonObjectScanner::finish() {
  if (fault_ != Fault::none || state_ == State::end) return fault_ == Fault::none;
  if (state_ == State::start) {
    fail(Fault::no_object, before_, "a value is expected");
  } else if (state_ == State::comma_or_end) {
    fail(Fault::no_json, before_, kCommaOrEnd);
  } else if (state_ == State::colon) {
    fail(Fault::no_json, before_, "a colon is expected");
  } else {
    if (!in_part_) begin(state_, state_ == State::value ? JsonScanner::Expects::value : JsonScanner::Expects::name);
    (void)part_.finish();  // a number may end here, but not the object
    const bool ended = part_.done();
    fail(Fault::no_json, ended ? before_ : part_begin_ + part_.position(), ended ? kCommaOrEnd : part_.expected());
  }
  return false;
}

void JsonObjectScanner::fail(Fault fault, std::size_t position, std::string_view expected) {
  fault_ = fault;
  fault_at_ = position;
  expected_ = expected;
}

void JsonObjectScanner::step(std::string_view piece) {
  if (in_part_) return step_part(piece);
  const char c = piece[at_];
  if (state_ == State::start) return step_start(c);
  if (!is_space(c)) return step_between(c);
  ++at_;
}

void JsonObjectScanner::step_start(char c) {
  const std::size_t at = here();
  if (bom_size_ == at && at < kBom.size() && c == kBom[at]) {
    ++bom_size_;
    ++at_;
    return;
  }
  const bool in_bom = bom_size_ > 0 && bom_size_ < kBom.size();
  if (in_bom || (!is_space(c) && c != '{')) return fail(Fault::no_object, at, "an object is expected");
  ++at_;
  if (c != '{') return;
  state_ = State::name_or_end;
  members_.reserve(kUsualMembers);
}

// Between names and values, and not at white space.
void JsonObjectScanner::step_between(char c) {
  switch (state_) {
    case State::name_or_end:
      if (c == '}') {
        ++at_;
        state_ = State::end;
        return;
      }
      [[fallthrough]];
    case State::name:
      return begin(State::name, JsonScanner::Expects::name);
    case State::colon:
      if (c != ':') return fail(Fault::no_json, here(), "a colon is expected");
      ++at_;
      state_ = State::value;
      return;
    case State::value:
      return begin(State::value, JsonScanner::Expects::value);
    case State::comma_or_end:
      if (c != ',' && c != '}') return fail(Fault::no_json, here(), kCommaOrEnd);
      ++at_;
      state_ = c == ',' ? State::name : State::end;
      return;
    default:
      return fail(Fault::no_json, here(), kNothingMore);
  }
}

void JsonObjectScanner::begin(State part, JsonScanner::Expects what) {
  state_ = part;
  in_part_ = true;
  part_ = JsonScanner(what);
  part_begin_ = here();
}

void JsonObjectScanner::step_part(std::string_view piece) {
  at_ += part_.take(piece.substr(at_));
  if (part_.fault() != JsonScanner::Fault::none) {
    const bool deep = part_.fault() == JsonScanner::Fault::too_deep;
    return fail(deep ? Fault::too_deep : Fault::no_json, part_begin_ + part_.position(), part_.expected());
  }
  if (state_ == State::name && here() - part_begin_ > max_name_bytes_) {
    return fail(Fault::long_name, part_begin_, "a shorter name is expected");
  }
  if (!part_.done()) return;
  in_part_ = false;
  if (state_ == State::name) return end_name();
  members_.push_back({.name = last_name_, .value = {.begin = part_begin_, .end = here()}});
  state_ = State::comma_or_end;
}

void JsonObjectScanner::end_name() {
  last_name_ = {.begin = part_begin_, .end = here()};
  state_ = State::colon;
  if (members_.size() == kMaxMembers) fail(Fault::too_many, part_begin_, "no more members are expected");
}

}  // namespace infra
