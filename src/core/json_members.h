// The members of a JSON object with their raw text: what a client sent as a run's input must reach its function with
// its numbers as they were written, through the API and through the queue.
#pragma once

#include <cstddef>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "core/json_object_scanner.h"

namespace infra {

struct RawMember {
  std::string name;       // unescaped
  std::string_view text;  // the value's JSON text, inside the document that was given
};

// A valid object's members, in order, no name twice.
class RawObject {
 public:
  enum class Problem { no_json, too_deep, no_object, too_many, duplicate };
  struct Refusal {
    Problem problem;
    std::size_t at = 0;       // for no_json: the byte
    std::string detail = {};  // for no_json: what was expected; else the member's name
  };

  // Checks the whole document: each member's value may be kMaxJsonDepth levels deep, and there may be 64 members. A BOM
  // at its start is skipped.
  [[nodiscard]] static std::expected<RawObject, Refusal> read(std::string_view document);
  // Of a document that has been scanned.
  [[nodiscard]] static std::expected<RawObject, Refusal> of(std::string_view document,
                                                            const std::vector<MemberRange>& members);

  [[nodiscard]] const std::vector<RawMember>& members() const { return members_; }
  [[nodiscard]] std::optional<std::string_view> text(std::string_view name) const;
  // Empty for what is no string.
  [[nodiscard]] std::string string(std::string_view name) const;
  // Nullopt for what is no number, or none that a double holds.
  [[nodiscard]] std::optional<double> number(std::string_view name) const;
  [[nodiscard]] bool is_true(std::string_view name) const { return text(name) == "true"; }

 private:
  std::vector<RawMember> members_;
};

// RawObject::read() of a request's body. `invalid`: code duplicate_field if a name occurs twice, else invalid_json; the
// message says where it breaks, or what the body is instead (UTF-16, gzip).
[[nodiscard]] Result<RawObject> read_members(std::string_view body);

}  // namespace infra
