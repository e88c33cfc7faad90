#include "core/output_key.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/limits.h"
#include "core/object_key.h"
#include "core/sha256.h"
#include "core/text.h"

namespace infra {
namespace {

constexpr std::string_view kHashedFolder = "_";  // a plain name that begins so is hashed too

}  // namespace

bool is_output_name(std::string_view name) {
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  return !name.empty() && name.size() <= limits::kMaxOutputNameBytes && std::ranges::none_of(name, is_control) &&
         is_valid_utf8(name);
}

std::string output_key(const FunctionId& function, const RequestId& request, std::string_view name) {
  const std::string folder = fmt::format("{}/{}/{}/", kOutputPrefix, function.value, request.value);
  const bool is_plain = check_object_key(name) && name.substr(0, name.find('/')) != kHashedFolder;
  if (is_plain) return folder + std::string(name);
  return fmt::format("{}{}/{}", folder, kHashedFolder, sha256_of(name));
}

}  // namespace infra
