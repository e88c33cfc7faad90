// A JSON object whose text comes in pieces: checked while it comes, and where in it its members are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

#include "core/json_scanner.h"

namespace infra {

struct TextRange {
  std::size_t begin = 0;
  std::size_t end = 0;
  [[nodiscard]] std::string_view in(std::string_view text) const { return text.substr(begin, end - begin); }
};

struct MemberRange {
  TextRange name;  // with its quotes
  TextRange value;
};

class JsonObjectScanner {
 public:
  static constexpr std::size_t kMaxMembers = 64;
  enum class Fault : std::uint8_t { none, no_object, no_json, too_deep, too_many, long_name };

  explicit JsonObjectScanner(std::size_t max_name_bytes = std::numeric_limits<std::size_t>::max())
      : max_name_bytes_(max_name_bytes) {}

  // False once the text can't be one any more. A BOM at its start is skipped; each value may be kMaxJsonDepth deep.
  bool take(std::string_view piece);
  // No more comes. True if the object is whole.
  bool finish();

  [[nodiscard]] const std::vector<MemberRange>& members() const { return members_; }
  [[nodiscard]] std::vector<MemberRange> take_members() { return std::move(members_); }
  [[nodiscard]] Fault fault() const { return fault_; }
  // After a fault: where, what would have been right, and the name of the member that was being read, if one was.
  [[nodiscard]] std::size_t position() const { return fault_at_; }
  [[nodiscard]] std::string_view expected() const { return expected_; }
  [[nodiscard]] TextRange last_name() const { return last_name_; }

 private:
  enum class State : std::uint8_t { start, name_or_end, name, colon, value, comma_or_end, end };

  void step(std::string_view piece);
  void step_start(char c);
  void step_between(char c);
  void begin(State part, JsonScanner::Expects what);
  void step_part(std::string_view piece);
  void end_name();
  void fail(Fault fault, std::size_t position, std::string_view expected);
  [[nodiscard]] std::size_t here() const { return before_ + at_; }

  std::size_t max_name_bytes_;
  State state_ = State::start;
  Fault fault_ = Fault::none;
  std::size_t bom_size_ = 0;  // as much of one as has come
  bool in_part_ = false;      // a name or a value has begun
  JsonScanner part_;
  std::size_t part_begin_ = 0;
  TextRange last_name_;
  std::vector<MemberRange> members_;
  std::size_t before_ = 0;  // bytes of earlier pieces
  std::size_t at_ = 0;
  std::size_t fault_at_ = 0;
  std::string_view expected_;
};

}  // namespace infra
