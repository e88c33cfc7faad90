#include "core/bundle_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <unordered_set>

#include "core/job_result.h"
#include "core/limits.h"
#include "core/text.h"

namespace infra {
namespace {

constexpr std::uint64_t kRatioFloor = limits::kMiB;  // a small file of zeros may well pack 1000 to 1

std::string shown(std::string_view name) {
  return replace_invalid_utf8(cut_utf8(name, 100));
}

std::unexpected<Error> refuse(std::string code, std::string message) {
  return fail(ErrorKind::invalid, std::move(code), std::move(message));
}

Result<void> check_path(std::string_view name) {
  const auto bad = [&](std::string_view why) {
    return refuse("invalid_bundle_path", fmt::format("The ZIP entry \"{}\" {}.", shown(name), why));
  };
  if (name.empty()) return bad("has an empty name");
  if (!is_valid_utf8(name)) return bad("has a name that is not UTF-8");
  if (name.size() > 1024) return bad("has a name longer than 1024 bytes");
  if (name.find('\\') != std::string_view::npos) return bad("has a backslash in its name");
  if (std::ranges::any_of(name, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; })) {
    return bad("has a control character in its name");
  }
  if (name.front() == '/' || (name.size() > 1 && name[1] == ':')) return bad("has an absolute path");
  if (name.ends_with('/')) name.remove_suffix(1);
  while (true) {
    const std::size_t slash = name.find('/');
    const std::string_view part = name.substr(0, slash);
    if (part == "..") return bad("climbs out of the bundle with \"..\"");
    if (part.empty() || part == ".") return bad("has an empty or \".\" path segment");
    if (part.size() > 255) return bad("has a path segment longer than 255 bytes");
    if (slash == std::string_view::npos) return {};
    name.remove_prefix(slash + 1);
  }
}

Result<void> check_entry(const BundleEntry& entry) {
  if (auto path = check_path(entry.name); !path) return path;
  if (entry.type == EntryType::symlink) {
    return refuse("bundle_has_link", fmt::format("The ZIP entry \"{}\" is a link; only files and folders are allowed.",
                                                 shown(entry.name)));
  }
  if (entry.type == EntryType::other) {
    return refuse(
        "bundle_has_special_file",
        fmt::format("The ZIP entry \"{}\" is a device or other special file; only files and folders are allowed.",
                    shown(entry.name)));
  }
  if (entry.encrypted) {
    return refuse(
        "bundle_encrypted",
        fmt::format("The ZIP entry \"{}\" is encrypted; upload the ZIP without a password.", shown(entry.name)));
  }
  return {};
}

Result<void> check_sizes(const std::vector<BundleEntry>& entries) {
  std::uint64_t unpacked = 0;
  for (const auto& entry : entries) {
    if (entry.unpacked_bytes > limits::kMaxUnpackedBytes ||
        (unpacked += entry.unpacked_bytes) > limits::kMaxUnpackedBytes) {
      return fail(ErrorKind::too_large, "bundle_too_large_unpacked",
                  fmt::format("The ZIP unpacks to more than {} MiB.", limits::kMaxUnpackedBytes / limits::kMiB));
    }
    const std::uint64_t packed = std::max<std::uint64_t>(entry.packed_bytes, 1);
    // unpacked > packed * ratio, without the overflow.
    if (entry.unpacked_bytes > kRatioFloor && (entry.unpacked_bytes - 1) / limits::kMaxRatio >= packed) {
      return refuse("bundle_ratio", fmt::format("The ZIP entry \"{}\" is packed more than {} to 1.", shown(entry.name),
                                                limits::kMaxRatio));
    }
  }
  return {};
}

// Two entries with one path, or a path that is a file in one entry and a folder in another.
Result<void> check_duplicates(const std::vector<BundleEntry>& entries) {
  std::unordered_set<std::string_view> seen;
  std::unordered_set<std::string_view> files;
  const auto bare = [](std::string_view name) { return name.ends_with('/') ? name.substr(0, name.size() - 1) : name; };
  for (const auto& entry : entries) {
    const std::string_view name = bare(entry.name);
    if (!seen.insert(name).second) {
      return refuse("bundle_duplicate_entry", fmt::format("The ZIP has the entry \"{}\" twice.", shown(name)));
    }
    if (entry.type == EntryType::file) files.insert(name);
  }
  for (const auto& entry : entries) {
    const std::string_view name = bare(entry.name);
    for (std::size_t slash = name.find('/'); slash != std::string_view::npos; slash = name.find('/', slash + 1)) {
      if (files.contains(name.substr(0, slash))) {
        return refuse("bundle_duplicate_entry",
                      fmt::format("The ZIP has \"{}\" both as a file and as a folder.", shown(name.substr(0, slash))));
      }
    }
  }
  return {};
}

std::span<const std::string_view> entry_names(Runtime runtime) {
  static constexpr std::string_view kPython[] = {"main.py"};
  static constexpr std::string_view kNode[] = {"index.js", "index.mjs"};
  static constexpr std::string_view kCpp[] = {"main.cpp", kReadyBinary};
  static constexpr std::string_view kGo[] = {"main.go", kReadyBinary};
  switch (runtime) {
    case Runtime::python:
      return kPython;
    case Runtime::nodejs:
      return kNode;
    case Runtime::cpp:
      return kCpp;
    case Runtime::go:
      return kGo;
  }
  return {};
}

}  // namespace

std::optional<std::string> entry_file(const std::vector<BundleEntry>& entries, Runtime runtime) {
  for (const auto wanted : entry_names(runtime)) {
    for (const auto& entry : entries) {
      if (entry.type == EntryType::file && entry.name == wanted) return entry.name;
    }
  }
  return std::nullopt;
}

Result<void> check_bundle(const std::vector<BundleEntry>& entries, Runtime runtime) {
  if (entries.empty()) return refuse("bundle_empty", "The ZIP is empty.");
  if (entries.size() > limits::kMaxEntries) {
    return refuse("bundle_too_many_entries", fmt::format("The ZIP has more than {} entries.", limits::kMaxEntries));
  }
  for (const auto& entry : entries) {
    if (auto ok = check_entry(entry); !ok) return ok;
  }
  if (auto ok = check_sizes(entries); !ok) return ok;
  if (auto ok = check_duplicates(entries); !ok) return ok;
  if (!entry_file(entries, runtime)) {
    std::string wanted;
    for (const auto name : entry_names(runtime)) wanted += (wanted.empty() ? "" : " or ") + std::string(name);
    return refuse("bundle_entry_missing",
                  fmt::format("The ZIP has no {} at its root, which a {} function needs.", wanted, to_string(runtime)));
  }
  const auto has = [&](std::string_view name) {
    return std::ranges::find(entries, name, &BundleEntry::name) != entries.end();
  };
  if (is_compiled(runtime) && has("main.cpp") && has("main.go")) {
    return refuse("bundle_entry_ambiguous", "The ZIP has main.cpp and main.go at its root; leave one of them out.");
  }
  return {};
}

}  // namespace infra
