// A bundle on the disk is what its listing promises: as many files and folders, of those sizes, no deeper, none outside
// of its folder, no link out of it; and what is refused leaves nothing behind. Inputs that begin with 'z' are a ZIP's
// bytes, the others a recipe for one.
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include "adapters/libzip/zip_bundle_reader.h"
#include "core/bundle_path.h"
#include "core/limits.h"
#include "fuzz/target.h"
#include "fuzz/zip_recipe.h"
#include "support/temp_folder.h"

namespace infra::fuzz {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kLongest{20};  // with sanitizers, on a machine with much else to do

struct OnDisk {
  std::uint64_t bytes = 0;
  std::size_t inodes = 0;
  std::ptrdiff_t depth = 0;
};

// Whether where a path leads, by what the kernel makes of it, is in the folder. A link to nothing leads nowhere.
bool stays_inside(const fs::path& folder, const fs::path& path) {
  std::error_code error;
  const fs::path target = fs::canonical(path, error);
  if (error) return true;
  const fs::path root = fs::canonical(folder);
  return std::mismatch(root.begin(), root.end(), target.begin(), target.end()).first == root.end();
}

void check_entry(const fs::path& folder, const fs::directory_entry& entry, const BundleTree& tree,
                 const std::vector<BundleEntry>& listed) {
  struct stat info{};
  require(::lstat(entry.path().c_str(), &info) == 0, "what is there can be looked at");
  const BundleTree::Node* node = tree.find(entry.path().lexically_relative(folder).string());
  if (entry.is_symlink()) {
    require(node != nullptr && node->type == EntryType::symlink && fs::read_symlink(entry.path()) == node->target,
            "a link is the listed one");
    require(stays_inside(folder, entry.path()), "no link leads out of the bundle");
    return;
  }
  require(node != nullptr, "nothing is there that is not listed");
  if (S_ISDIR(info.st_mode)) {
    require(node->type == EntryType::directory && (info.st_mode & 07777) == 0755, "a folder is one, with its mode");
    return;
  }
  require(S_ISREG(info.st_mode) && node->type == EntryType::file, "a file is one");
  require((info.st_mode & 07777) == 0644 || (info.st_mode & 07777) == 0755, "a file has one of two modes");
  require(static_cast<std::uint64_t>(info.st_size) == listed.at(node->entry).unpacked_bytes,
          "a file is as large as is listed");
}

OnDisk walk(const fs::path& folder, const BundleTree& tree, const std::vector<BundleEntry>& listed) {
  OnDisk disk;
  for (auto at = fs::recursive_directory_iterator(folder); at != fs::recursive_directory_iterator(); ++at) {
    check_entry(folder, *at, tree, listed);
    ++disk.inodes;
    if (!at->is_symlink() && at->is_directory()) {
      disk.depth = std::max<std::ptrdiff_t>(disk.depth, at.depth() + 1);
      disk.bytes += limits::kFolderBytes;
    } else if (!at->is_symlink() && at->is_regular_file()) {
      disk.bytes += at->file_size();
    }
  }
  return disk;
}

void check_unpacked(const ZipBundleReader& reader, const fs::path& zip, const fs::path& folder,
                    const std::vector<BundleEntry>& listed) {
  const auto tree = BundleTree::of(listed);
  const bool verified = reader.verify(zip).has_value();
  const bool unpacked = reader.extract(zip, folder).has_value();
  require(verified == unpacked, "what is verified can be unpacked, and nothing else");
  require(tree.has_value() || !unpacked, "nothing is unpacked that breaks a rule");
  require(fs::exists(folder) == unpacked, "what is refused leaves nothing behind");
  if (!unpacked) return;
  const OnDisk disk = walk(folder, *tree, listed);
  require(disk.inodes == tree->nodes().size() && disk.inodes <= limits::kMaxBundlePaths,
          "there is as much as the tree has");
  require(disk.bytes <= limits::kMaxUnpackedBytes, "there are no more bytes than may be");
  require(disk.depth <= limits::kMaxBundleDepth, "nothing is deeper than may be");
  const auto main = reader.read_start(zip, "main.py", 64);
  std::error_code error;
  require(main.has_value() == fs::is_regular_file(folder / "main.py", error),
          "a file is found where the kernel finds it");
}

void unpack(std::string_view input) {
  static const testing::TempFolder temp;
  const auto began = std::chrono::steady_clock::now();
  const bool is_zip = input.starts_with('z');
  if (is_zip) input.remove_prefix(1);
  const std::string bytes = is_zip ? std::string(input) : make_zip(input);
  const fs::path zip = temp.path() / "in.zip";
  const fs::path folder = temp.path() / "out";
  std::ofstream(zip, std::ios::binary) << bytes;

  const ZipBundleReader reader;
  const auto listed = reader.list(zip);
  if (listed) {
    require(listed->size() <= limits::kMaxEntries, "no more entries are listed than may be");
    check_unpacked(reader, zip, folder, *listed);
    fs::remove_all(folder);
  } else {
    require(!reader.verify(zip) && !reader.extract(zip, folder) && !fs::exists(folder),
            "what is not listed is not unpacked");
  }
  std::size_t beside = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator(temp.path())) ++beside;
  require(beside == 1, "nothing is written outside of the folder");
  require(std::chrono::steady_clock::now() - began < kLongest, "a bundle takes its time, and no more");
}

}  // namespace

INFRA_FUZZ_TARGET(zip, unpack);

}  // namespace infra::fuzz
