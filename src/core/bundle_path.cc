#include "core/bundle_path.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error_codes.h"
#include "core/text.h"

namespace infra {
namespace {

constexpr std::size_t kMaxNameBytes = 1024;
constexpr std::size_t kMaxSegmentBytes = 255;  // of a Linux file system
constexpr std::size_t kShownBytes = 100;

bool has_drive_letter(std::string_view path) {
  if (path.size() < 2 || path[1] != ':') return false;
  const char letter = ascii_lower(path.substr(0, 1)).front();
  return letter >= 'a' && letter <= 'z';
}

}  // namespace

std::string shown_name(std::string_view name) {
  return replace_invalid_utf8(cut_utf8(name, kShownBytes));
}

bool has_control_character(std::string_view text) {
  return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

std::string_view folder_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

Result<std::string> bundle_path(std::string_view name) {
  const auto bad = [&](std::string_view why) {
    return fail(errors::invalid_bundle_path, fmt::format("The ZIP entry \"{}\" {}.", shown_name(name), why));
  };
  if (name.empty()) return bad("has an empty name");
  if (has_control_character(name)) return bad("has a control character in its name");
  if (!is_valid_utf8(name)) return bad("has a name that is not UTF-8, though the ZIP says so");
  if (name.size() > kMaxNameBytes) return bad(fmt::format("has a name longer than {} bytes", kMaxNameBytes));
  if (name.find('\\') != std::string_view::npos) {
    return bad(
        "has a backslash in its name, where ZIPs have \"/\": Compress-Archive of Windows PowerShell 5 and programs on "
        ".NET Framework before 4.6.1 write that; pack it with PowerShell 7, with \"tar -a -cf code.zip *\" or with "
        "7-Zip");
  }
  std::string path;
  for (std::string_view rest = name; !rest.empty();) {
    const std::size_t slash = rest.find('/');
    const std::string_view part = rest.substr(0, slash);
    rest = slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
    if (part.empty() || part == ".") continue;
    if (part == "..") return bad("climbs with \"..\", which a path in a bundle must not");
    if (part.size() > kMaxSegmentBytes) {
      return bad(fmt::format("has a path segment longer than {} bytes", kMaxSegmentBytes));
    }
    if (!path.empty()) path += '/';
    path += part;
  }
  if (has_drive_letter(path)) return bad("has a drive letter, an absolute path of Windows");
  return path;
}

}  // namespace infra
