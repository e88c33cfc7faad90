#include "core/function_name.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error_codes.h"
#include "core/ids.h"
#include "core/limits.h"

namespace infra {
namespace {

constexpr std::string_view kPrefix = "name:";

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

}  // namespace

bool is_claimable_name(std::string_view name) {
  return !name.empty() && name.size() <= limits::kMaxClaimedName && std::ranges::all_of(name, is_name_character) &&
         !uuid_version(name);
}

std::string claimable_name_like(std::string_view name) {
  std::string like;
  for (const char c : name) {
    if (is_name_character(c)) {
      like += c;
    } else if (!like.empty() && like.back() != '-') {
      like += '-';
    }
  }
  if (uuid_version(like)) like.insert(0, "f-");
  like.resize(std::min(like.size(), limits::kMaxClaimedName));
  while (like.ends_with('-')) like.pop_back();
  return like.empty() ? "my-function" : like;
}

Result<void> check_claimable(std::string_view name) {
  if (is_claimable_name(name)) return {};
  return fail(errors::invalid_name,
              fmt::format("name must have 1 to {} of the characters A-Z, a-z, 0-9, _ and -, and be no UUID, so that it "
                          "can be claimed: \"{}\" would do.",
                          limits::kMaxClaimedName, claimable_name_like(name)));
}

std::optional<std::string_view> name_referred_to(std::string_view reference) {
  if (!reference.starts_with(kPrefix)) return std::nullopt;
  return reference.substr(kPrefix.size());
}

}  // namespace infra
