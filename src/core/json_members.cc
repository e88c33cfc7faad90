#include "core/json_members.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error_codes.h"
#include "core/json_value.h"
#include "core/text.h"

namespace infra {
namespace {

constexpr std::size_t kMaxMembers = 64;
constexpr std::size_t kShownNameBytes = 64;

// Of a string whose text is valid.
std::string unescaped(std::string_view quoted) {
  if (quoted.find('\\') == std::string_view::npos) return std::string(quoted.substr(1, quoted.size() - 2));
  const auto value = parse_json(quoted);
  return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

// What bytes that are no JSON are instead, where they show it: by their BOM, or by where an ASCII character's zero
// bytes are (RFC 4627, 3). Empty if they don't.
std::string_view foreign_form(std::string_view bytes) {
  using namespace std::string_view_literals;
  if (bytes.starts_with("\x1f\x8b"sv)) return "gzip";
  if (bytes.starts_with("\xff\xfe\0\0"sv) || bytes.starts_with("\0\0\xfe\xff"sv)) return "UTF-32";
  if (bytes.starts_with("\xff\xfe"sv) || bytes.starts_with("\xfe\xff"sv)) return "UTF-16";
  if (bytes.size() < 2) return "";
  const auto zero = [&](std::size_t at) { return at < bytes.size() && bytes[at] == '\0'; };
  if ((zero(0) && zero(1) && zero(2)) || (zero(1) && zero(2) && zero(3))) return "UTF-32";
  return zero(0) != zero(1) ? "UTF-16" : "";
}

std::string no_json(std::string_view body, const RawObject::Refusal& refusal) {
  const auto form = foreign_form(body);
  if (form == "gzip") return "The body is gzip; send it with the header Content-Encoding: gzip.";
  if (!form.empty()) return fmt::format("The body is {}; send JSON as UTF-8.", form);
  if (refusal.at == 0 && body.empty()) return "The body is empty; send a JSON object.";
  return fmt::format("The body is not valid JSON (at byte {}: {}).", refusal.at, refusal.detail);
}

}  // namespace

std::expected<RawObject, RawObject::Refusal> RawObject::read(std::string_view document) {
  JsonCursor cursor(document);
  std::string name;
  const auto broken = [&] {
    const bool deep = cursor.fault() == JsonCursor::Fault::too_deep;
    return std::unexpected(deep ? Refusal{Problem::too_deep, cursor.position(), name}
                                : Refusal{Problem::no_json, cursor.position(), std::string(cursor.expected())});
  };
  if (cursor.next() != '{') {
    if (!cursor.value()) return broken();
    if (cursor.at_end()) return std::unexpected(Refusal{Problem::no_object});
    cursor.fail("nothing more is expected");
    return broken();
  }
  cursor.take('{');
  RawObject object;
  object.members_.reserve(8);
  bool more = !cursor.take('}');
  while (more) {
    const auto quoted = cursor.string();
    if (!quoted) return broken();
    name = unescaped(*quoted);
    if (object.text(name)) return std::unexpected(Refusal{Problem::duplicate, 0, name});
    if (object.members_.size() == kMaxMembers) return std::unexpected(Refusal{Problem::too_many});
    if (!cursor.take(':')) {
      cursor.fail("a colon is expected");
      return broken();
    }
    const auto value = cursor.value();
    if (!value) return broken();
    object.members_.push_back({name, *value});
    more = cursor.take(',');
    if (!more && !cursor.take('}')) {
      cursor.fail("a comma or } is expected");
      return broken();
    }
  }
  if (cursor.at_end()) return object;
  cursor.fail("nothing more is expected");
  return broken();
}

std::optional<std::string_view> RawObject::text(std::string_view name) const {
  const auto found = std::ranges::find(members_, name, &RawMember::name);
  if (found == members_.end()) return std::nullopt;
  return found->text;
}

boost::json::value RawObject::value(std::string_view name) const {
  const auto raw = text(name);
  return raw ? parse_json(*raw).value_or(nullptr) : nullptr;
}

std::string RawObject::string(std::string_view name) const {
  const auto found = value(name);
  return found.is_string() ? std::string(found.get_string()) : std::string();
}

Result<RawObject> read_members(std::string_view body) {
  auto object = RawObject::read(body);
  if (object) return std::move(*object);
  const auto& refusal = object.error();
  const auto name = cut_utf8(refusal.detail, kShownNameBytes);
  const auto invalid = [](std::string message) { return fail(errors::invalid_json, std::move(message)); };
  switch (refusal.problem) {
    case RawObject::Problem::duplicate:
      return fail(errors::duplicate_field, fmt::format("The body has \"{}\" twice.", name));
    case RawObject::Problem::too_many:
      return invalid(fmt::format("The body has more than {} fields.", kMaxMembers));
    case RawObject::Problem::no_object:
      return invalid("The body must be a JSON object.");
    case RawObject::Problem::too_deep:
      return invalid(fmt::format("{} is nested too deeply: a value may be at most {} levels deep.",
                                 name.empty() ? "The body" : name, kMaxJsonDepth));
    case RawObject::Problem::no_json:
      break;
  }
  return invalid(no_json(body, refusal));
}

}  // namespace infra
