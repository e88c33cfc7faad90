#include "core/json_members.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error_codes.h"
#include "core/json_cursor.h"
#include "core/json_scalar.h"
#include "core/text.h"

namespace infra {
namespace {

constexpr std::size_t kShownNameBytes = 64;

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

// Of a document that does not begin as an object: another value, or none.
RawObject::Refusal no_object(std::string_view document) {
  JsonCursor cursor(document);
  const bool value = cursor.value().has_value();
  if (value && cursor.at_end()) return {RawObject::Problem::no_object};
  if (value) cursor.fail("nothing more is expected");
  const bool deep = cursor.fault() == JsonCursor::Fault::too_deep;
  return {deep ? RawObject::Problem::too_deep : RawObject::Problem::no_json, cursor.position(),
          deep ? std::string() : std::string(cursor.expected())};
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
  JsonObjectScanner scanner;
  if (scanner.take(document) && scanner.finish()) return of(document, scanner.members());
  switch (scanner.fault()) {
    case JsonObjectScanner::Fault::no_object:
      return std::unexpected(no_object(document));
    case JsonObjectScanner::Fault::too_deep:
      return std::unexpected(Refusal{Problem::too_deep, scanner.position(),
                                     json_string_value(scanner.last_name().in(document)).value_or("")});
    case JsonObjectScanner::Fault::too_many:
      return std::unexpected(Refusal{Problem::too_many});
    default:
      return std::unexpected(Refusal{Problem::no_json, scanner.position(), std::string(scanner.expected())});
  }
}

std::expected<RawObject, RawObject::Refusal> RawObject::of(std::string_view document,
                                                           const std::vector<MemberRange>& members) {
  RawObject object;
  object.members_.reserve(members.size());
  for (const auto& member : members) {
    std::string name = json_string_value(member.name.in(document)).value_or("");
    if (object.text(name)) return std::unexpected(Refusal{Problem::duplicate, 0, std::move(name)});
    object.members_.push_back({std::move(name), member.value.in(document)});
  }
  return object;
}

std::optional<std::string_view> RawObject::text(std::string_view name) const {
  const auto found = std::ranges::find(members_, name, &RawMember::name);
  if (found == members_.end()) return std::nullopt;
  return found->text;
}

std::string RawObject::string(std::string_view name) const {
  const auto raw = text(name);
  return raw ? json_string_value(*raw).value_or("") : std::string();
}

std::optional<double> RawObject::number(std::string_view name) const {
  const auto raw = text(name);
  return raw ? json_number_value(*raw) : std::nullopt;
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
      return invalid(fmt::format("The body has more than {} fields.", JsonObjectScanner::kMaxMembers));
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
