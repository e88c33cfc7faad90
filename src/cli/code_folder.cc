#include "cli/code_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <numeric>
#include <sstream>

#include "cli/ignore_rules.h"
#include "core/limits.h"
#include "core/runtime.h"

namespace infra::cli {
namespace {

namespace fs = std::filesystem;

std::unexpected<Failure> unreadable(const fs::path& path, const std::error_code& error) {
  return wrong_usage(fmt::format("{} can't be read: {}.", path.string(), error.message()));
}

class Walk {
 public:
  Walk(const IgnoreRules& rules, CodeFolder& found) : rules_(rules), found_(found) {}

  Outcome<void> enter(const fs::path& folder, const std::string& prefix) {
    found_.folders.push_back(folder);
    std::error_code error;
    fs::directory_iterator at(folder, error);
    for (; !error && at != fs::directory_iterator(); at.increment(error)) {
      if (auto added = add(*at, prefix + at->path().filename().string()); !added) return added;
    }
    if (error) return unreadable(folder, error);
    return {};
  }

 private:
  Outcome<void> add(const fs::directory_entry& entry, std::string path) {
    std::error_code error;
    const auto status = fs::symlink_status(entry.path(), error);
    if (error) return unreadable(entry.path(), error);
    const bool is_folder = fs::is_directory(status);
    if (rules_.ignores(path, is_folder)) return {};
    if (is_folder) return enter(entry.path(), path + "/");
    if (!fs::is_regular_file(status) && !fs::is_symlink(status))
      return wrong_usage(fmt::format("{} is neither file nor folder; name it in {}.", path, kIgnoreFile));
    CodeFile file{.path = std::move(path), .source = entry.path(), .is_link = fs::is_symlink(status)};
    file.is_executable = (status.permissions() & fs::perms::owner_exec) != fs::perms::none;
    if (!file.is_link) file.size = fs::file_size(entry.path(), error);
    if (error) return unreadable(entry.path(), error);
    found_.files.push_back(std::move(file));
    if (found_.files.size() > limits::kMaxEntries)
      return wrong_usage(fmt::format("There are more than {} files; name what the function does not need in {}.",
                                     limits::kMaxEntries, kIgnoreFile));
    return {};
  }

  const IgnoreRules& rules_;
  CodeFolder& found_;
};

std::uint32_t little_endian(std::string_view text, std::size_t at, std::size_t bytes) {
  std::uint32_t number = 0;
  for (std::size_t i = 0; i < bytes && at + i < text.size(); ++i)
    number |= static_cast<std::uint32_t>(static_cast<unsigned char>(text[at + i])) << (8 * i);
  return number;
}

std::string read_part(std::ifstream& file, std::uint64_t from, std::size_t count) {
  std::string part(count, '\0');
  file.clear();
  file.seekg(static_cast<std::streamoff>(from));
  file.read(part.data(), static_cast<std::streamsize>(count));
  part.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  return part;
}

}  // namespace

std::uint64_t CodeFolder::size() const {
  return std::accumulate(files.begin(), files.end(), std::uint64_t{0},
                         [](std::uint64_t sum, const CodeFile& file) { return sum + file.size; });
}

Outcome<CodeFolder> read_code_folder(const fs::path& folder) {
  std::ostringstream ignored;
  if (std::ifstream file(folder / kIgnoreFile, std::ios::binary); file) ignored << file.rdbuf();
  const IgnoreRules rules(ignored.str());
  CodeFolder found;
  if (auto entered = Walk(rules, found).enter(folder, ""); !entered) return failed(std::move(entered.error()));
  std::ranges::sort(found.files, {}, &CodeFile::path);
  if (found.files.empty()) return wrong_usage(fmt::format("There is no code in {}.", folder.string()), "infra init");
  if (found.size() > limits::kMaxUnpackedBytes)
    return wrong_usage(fmt::format("The code is {} MiB, and may be {}; name what the function does not need in {}.",
                                   found.size() / limits::kMiB, limits::kMaxUnpackedBytes / limits::kMiB, kIgnoreFile));
  return found;
}

std::optional<std::string> guess_runtime(const std::vector<std::string>& paths) {
  const auto has = [&](std::string_view entry) { return std::ranges::find(paths, entry) != paths.end(); };
  std::optional<std::string> guess;
  for (const auto& row : kRuntimes) {
    for (const auto entry : row.entry_files) {
      if (entry == kReadyBinary || !has(entry)) continue;
      if (guess && *guess != row.name) return std::nullopt;
      guess = row.name;
    }
  }
  if (!guess && has(kReadyBinary)) guess = to_string(Runtime::cpp);
  return guess;
}

std::vector<std::string> paths_in_zip(const fs::path& zip) {
  constexpr std::uint64_t kMaxTail = 22 + 65'536;  // the end record with the longest comment
  constexpr std::uint32_t kMaxDirectory = 16 * 1024 * 1024;
  std::vector<std::string> paths;
  std::error_code error;
  const std::uint64_t size = fs::file_size(zip, error);
  std::ifstream file(zip, std::ios::binary);
  if (error || !file) return paths;
  const std::uint64_t begin = size - std::min(size, kMaxTail);
  const std::string tail = read_part(file, begin, static_cast<std::size_t>(size - begin));
  const auto end = tail.rfind("PK\x05\x06");
  if (end == std::string::npos) return paths;
  const std::uint32_t bytes = std::min(little_endian(tail, end + 12, 4), kMaxDirectory);
  if (begin + end < bytes) return paths;
  const std::string directory = read_part(file, begin + end - bytes, bytes);
  for (std::size_t at = 0; directory.compare(at, 4, "PK\x01\x02") == 0 && at + 46 <= directory.size();) {
    const std::uint32_t name = little_endian(directory, at + 28, 2);
    std::string path = directory.substr(at + 46, name);
    if (path.starts_with("./")) path.erase(0, 2);
    paths.push_back(std::move(path));
    at += 46 + name + little_endian(directory, at + 30, 2) + little_endian(directory, at + 32, 2);
    if (at >= directory.size()) break;
  }
  return paths;
}

}  // namespace infra::cli
