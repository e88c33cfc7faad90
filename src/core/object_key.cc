#include "core/object_key.h"

#include <cstddef>

namespace infra {
namespace {

constexpr std::size_t kMaxKeyBytes = 512;

}  // namespace

Result<void> check_object_key(std::string_view key) {
  bool good = !key.empty() && key.size() <= kMaxKeyBytes && key.back() != '/';
  char before = '/';
  for (const char c : key) {
    const bool plain =
        (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-';
    good = good && (plain || ((c == '.' || c == '/') && before != '/'));
    before = c;
  }
  if (good) return {};
  return fail(
      ErrorKind::invalid, "invalid_object_key",
      "An object's key must be segments of [A-Za-z0-9._-], parted by single slashes, none beginning with a dot.");
}

}  // namespace infra
