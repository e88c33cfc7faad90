#include "core/object_keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>

#include "core/limits.h"
#include "core/operator_error_codes.h"
#include "core/sha256.h"
#include "core/text.h"

namespace infra {
namespace {

constexpr std::size_t kMaxKeyBytes = 512;
constexpr std::string_view kBundleSuffix = ".zip";
constexpr std::string_view kHashedFolder = "_";  // a plain name that begins so is hashed too

}  // namespace

std::string bundle_key(const FunctionId& function, std::string_view upload) {
  return fmt::format("{}/{}/{}{}", object_folders::functions.name, function.value, upload, kBundleSuffix);
}

std::string_view upload_of(std::string_view bundle_key) {
  bundle_key.remove_prefix(bundle_key.rfind('/') + 1);  // npos + 1 is 0
  if (!bundle_key.ends_with(kBundleSuffix)) return {};
  bundle_key.remove_suffix(kBundleSuffix.size());
  return bundle_key;
}

std::string build_key(std::string_view bundle_sha256, std::string_view machine) {
  // The number is the runner protocol's: what was compiled for another one is of no use to this program.
  return fmt::format("{}/2/{}/{}", object_folders::builds.name, bundle_sha256, machine);
}

std::string output_key(const FunctionId& function, const RequestId& request, std::string_view name, int attempt) {
  std::string folder = fmt::format("{}/{}/{}/", object_folders::outputs.name, function.value, request.value);
  if (attempt > 1) folder += fmt::format("{}/{}/", kHashedFolder, attempt);
  const bool is_plain = check_object_key(name) && name.substr(0, name.find('/')) != kHashedFolder;
  if (is_plain) return folder + std::string(name);
  return fmt::format("{}{}/{}", folder, kHashedFolder, sha256_of(name));
}

std::string result_key(const RequestId& request) {
  return fmt::format("{}/{}.json", object_folders::results.name, request.value);
}

std::string payload_key(const RequestId& request) {
  return fmt::format("{}/{}.json", object_folders::payloads.name, request.value);
}

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
      errors::invalid_object_key,
      "An object's key must be segments of [A-Za-z0-9._-], parted by single slashes, none beginning with a dot.");
}

bool is_output_name(std::string_view name) {
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  return !name.empty() && name.size() <= limits::kMaxOutputNameBytes && std::ranges::none_of(name, is_control) &&
         is_valid_utf8(name);
}

}  // namespace infra
