// A bundle's (a ZIP's) entries as the tree of paths that it unpacks to. The upload's check and the unpacking both go by
// this, so the checked tree is the one on the disk.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"

namespace infra {

enum class EntryType : std::uint8_t { file, directory, symlink, other };

// One line of a ZIP's directory, as it claims to be.
struct BundleEntry {
  std::string name;  // as written, in UTF-8
  EntryType type = EntryType::file;
  std::uint64_t packed_bytes = 0;
  std::uint64_t unpacked_bytes = 0;
  bool encrypted = false;
  std::string target = {};  // a symlink's, where it is no longer than limits::kMaxLinkBytes
};

class BundleTree {
 public:
  static constexpr std::size_t kNoEntry = SIZE_MAX;
  struct Node {
    EntryType type = EntryType::directory;  // or file or symlink
    std::size_t entry = kNoEntry;  // which makes it; of several for one path the last, none for implied folders
    std::string target = {};       // a symlink's, as written
  };
  using Nodes = std::map<std::string, Node, std::less<>>;  // by path: each folder before what it holds

  // `invalid` or `too_large` with a sentence that names the entry and the rule that it breaks. No path of what passes
  // goes through a link, and no link of it leads out of the tree, however links and ".." are strung together.
  [[nodiscard]] static Result<BundleTree> of(const std::vector<BundleEntry>& entries);

  [[nodiscard]] const Nodes& nodes() const { return nodes_; }
  [[nodiscard]] const Node* find(std::string_view path) const;
  // The path of the file that `path` is, or leads to through links; nullopt if there is none.
  [[nodiscard]] std::optional<std::string> file_at(std::string_view path) const;

 private:
  Result<void> add(const BundleEntry& entry, std::size_t number);
  Result<void> add_folders_above(std::string_view path);
  [[nodiscard]] Result<void> check_size(const std::vector<BundleEntry>& entries) const;
  [[nodiscard]] Result<void> check_link(const std::string& path, const Node& link) const;
  [[nodiscard]] std::optional<std::string> follow(std::string_view path, std::string_view target) const;

  Nodes nodes_;
};

}  // namespace infra
