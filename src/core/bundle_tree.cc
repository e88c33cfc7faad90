#include "core/bundle_tree.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/bundle_path.h"
#include "core/error_codes.h"
#include "core/limits.h"
#include "core/text.h"

namespace infra {
namespace {

constexpr std::uint64_t kRatioFloor = limits::kMiB;  // a small file of zeros may well pack 1000 to 1
constexpr int kMaxHops = 40;                         // as many links as the kernel follows in one path

std::unexpected<Error> too_many() {
  return fail(errors::bundle_too_many_entries,
              fmt::format("The ZIP has more than {} entries, or more than {} files and folders.", limits::kMaxEntries,
                          limits::kMaxBundlePaths));
}

std::unexpected<Error> conflict(std::string_view path, EntryType other) {
  return fail(errors::bundle_duplicate_entry,
              fmt::format("The ZIP has \"{}\" both as a {} and as a folder.", shown_name(path),
                          other == EntryType::symlink ? "link" : "file"));
}

std::ptrdiff_t depth_of(std::string_view path) {
  return path.empty() ? 0 : std::ranges::count(path, '/') + 1;
}

Result<void> check_kind(const BundleEntry& entry) {
  if (entry.type == EntryType::other) {
    return fail(errors::bundle_has_special_file,
                fmt::format("The ZIP entry \"{}\" is a device or other special file; only files, folders and links "
                            "inside the bundle are allowed.",
                            shown_name(entry.name)));
  }
  if (entry.encrypted) {
    return fail(
        errors::bundle_encrypted,
        fmt::format("The ZIP entry \"{}\" is encrypted; upload the ZIP without a password.", shown_name(entry.name)));
  }
  return {};
}

}  // namespace

Result<BundleTree> BundleTree::of(const std::vector<BundleEntry>& entries) {
  if (entries.size() > limits::kMaxEntries) return too_many();
  BundleTree tree;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (auto added = tree.add(entries[i], i); !added) return fail(added.error());
  }
  if (auto ok = tree.check_size(entries); !ok) return fail(ok.error());
  for (const auto& [path, node] : tree.nodes_) {
    if (node.type != EntryType::symlink) continue;
    if (auto ok = tree.check_link(path, node); !ok) return fail(ok.error());
  }
  return tree;
}

Result<void> BundleTree::add(const BundleEntry& entry, std::size_t number) {
  auto path = bundle_path(entry.name);
  if (!path) return fail(path.error());
  if (auto ok = check_kind(entry); !ok) return ok;
  if (path->empty()) {
    if (entry.type == EntryType::directory) return {};  // "./": the root is there anyway
    return fail(errors::invalid_bundle_path,
                fmt::format("The ZIP entry \"{}\" is a file without a name.", shown_name(entry.name)));
  }
  const bool is_folder = entry.type == EntryType::directory;
  if (depth_of(is_folder ? std::string_view(*path) : folder_of(*path)) > limits::kMaxBundleDepth) {
    return fail(errors::invalid_bundle_path, fmt::format("The ZIP entry \"{}\" is more than {} folders deep.",
                                                         shown_name(entry.name), limits::kMaxBundleDepth));
  }
  if (auto ok = add_folders_above(*path); !ok) return ok;
  const Node node{.type = entry.type, .entry = number, .target = entry.target};
  const auto [found, is_new] = nodes_.try_emplace(std::move(*path), node);
  if (!is_new) {
    const bool was_folder = found->second.type == EntryType::directory;
    if (was_folder != is_folder) return conflict(found->first, is_folder ? found->second.type : entry.type);
    found->second = node;
  }
  if (nodes_.size() > limits::kMaxBundlePaths) return too_many();
  return {};
}

// From the innermost outwards, as far as they are not there yet: so each folder is looked at about once.
Result<void> BundleTree::add_folders_above(std::string_view path) {
  for (std::string_view folder = folder_of(path); !folder.empty(); folder = folder_of(folder)) {
    const auto found = nodes_.find(folder);
    if (found == nodes_.end()) {
      nodes_.emplace(folder, Node{});
    } else if (found->second.type != EntryType::directory) {
      return conflict(folder, found->second.type);
    } else {
      return {};
    }
  }
  return {};
}

// All entries count, those too that a later one for the same path replaces.
Result<void> BundleTree::check_size(const std::vector<BundleEntry>& entries) const {
  const auto too_large = [] {
    return fail(errors::bundle_too_large_unpacked,
                fmt::format("The ZIP unpacks to more than {} MiB.", limits::kMaxUnpackedBytes / limits::kMiB));
  };
  std::uint64_t unpacked = 0;
  for (const auto& [_, node] : nodes_) {
    if (node.type == EntryType::directory) unpacked += limits::kFolderBytes;
  }
  for (const auto& entry : entries) {
    if (entry.unpacked_bytes > limits::kMaxUnpackedBytes ||
        (unpacked += entry.unpacked_bytes) > limits::kMaxUnpackedBytes) {
      return too_large();
    }
    const std::uint64_t packed = std::max<std::uint64_t>(entry.packed_bytes, 1);
    // unpacked > packed * ratio, without the overflow.
    if (entry.unpacked_bytes > kRatioFloor && (entry.unpacked_bytes - 1) / limits::kMaxRatio >= packed) {
      return fail(errors::bundle_ratio, fmt::format("The ZIP entry \"{}\" is packed more than {} to 1.",
                                                    shown_name(entry.name), limits::kMaxRatio));
    }
  }
  return {};
}

Result<void> BundleTree::check_link(const std::string& path, const Node& link) const {
  const auto bad = [&](std::string_view why) {
    return fail(errors::bundle_has_link,
                fmt::format("The ZIP entry \"{}\" is a link {}; a link must be relative and lead to a place inside "
                            "the bundle.",
                            shown_name(path), why));
  };
  const std::string& target = link.target;
  if (target.empty()) return bad(fmt::format("to nothing, or to a path longer than {} bytes", limits::kMaxLinkBytes));
  if (!is_valid_utf8(target) || has_control_character(target)) return bad("to a path that is no plain text");
  if (target.front() == '/') return bad(fmt::format("to the absolute path \"{}\"", shown_name(target)));
  if (!follow(path, target)) return bad(fmt::format("out of the bundle, to \"{}\"", shown_name(target)));
  return {};
}

// Where a link at `path` leads, by names alone; nullopt out of the tree. ".." is taken only from folders of the tree,
// never from a link, because there the kernel goes elsewhere than the names say: so no chain of links gets further
// than each of them does alone.
std::optional<std::string> BundleTree::follow(std::string_view path, std::string_view target) const {
  std::string place(folder_of(path));
  while (!target.empty()) {
    const std::size_t slash = target.find('/');
    const std::string_view part = target.substr(0, slash);
    target = slash == std::string_view::npos ? std::string_view() : target.substr(slash + 1);
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      const Node* folder = find(place);
      if (folder == nullptr || folder->type != EntryType::directory) return std::nullopt;  // the root is no node
      place = folder_of(place);
    } else {
      if (!place.empty()) place += '/';
      place += part;
    }
  }
  return place;
}

const BundleTree::Node* BundleTree::find(std::string_view path) const {
  const auto found = nodes_.find(path);
  return found == nodes_.end() ? nullptr : &found->second;
}

std::optional<std::string> BundleTree::file_at(std::string_view path) const {
  std::string place(path);
  std::size_t end = 0;  // of what has been looked at
  for (int hops = 0; hops <= kMaxHops;) {
    end = std::min(place.find('/', end), place.size());
    const std::string_view here = std::string_view(place).substr(0, end);
    const Node* node = find(here);
    if (node == nullptr) return std::nullopt;
    if (node->type == EntryType::symlink) {
      auto next = follow(here, node->target);
      if (!next) return std::nullopt;
      std::string_view rest = std::string_view(place).substr(end);
      if (next->empty() && !rest.empty()) rest.remove_prefix(1);
      place = *next + std::string(rest);
      end = 0;
      ++hops;
    } else if (end == place.size()) {
      return node->type == EntryType::file ? std::optional(place) : std::nullopt;
    } else {
      ++end;
    }
  }
  return std::nullopt;
}

}  // namespace infra
