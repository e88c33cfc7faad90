#include "core/bundle_hint.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/bundle_path.h"
#include "core/bundle_rules.h"
#include "core/text.h"

namespace infra {
namespace {

constexpr std::size_t kNamesShown = 3;
using Words = std::optional<std::string>;

std::string_view name_of(std::string_view path) {
  return path.substr(folder_of(path).empty() ? 0 : folder_of(path).size() + 1);
}

std::string joined(std::span<const std::string_view> names, std::string_view between) {
  return fmt::format("{}", fmt::join(names, between));
}

// Folders that hold other people's code, or none at all.
bool is_foreign(std::string_view path) {
  static constexpr std::array<std::string_view, 4> kForeign = {"node_modules", "site-packages", "vendor", "__MACOSX"};
  for (std::string_view folder = folder_of(path); !folder.empty(); folder = folder_of(folder)) {
    const std::string_view name = name_of(folder);
    if (name.front() == '.' || std::ranges::find(kForeign, name) != kForeign.end()) return true;
  }
  return false;
}

// A command to copy, unless the folder's name would need quoting in a shell.
std::string zip_command(std::string_view folder) {
  const auto is_plain = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '.' || c == '_' ||
           c == '-' || c == '/';
  };
  if (folder.front() == '-' || folder.size() > 60 || !std::ranges::all_of(folder, is_plain)) return "";
  std::string up = "../";
  for (const char c : folder) up += c == '/' ? "../" : "";
  return fmt::format(" (cd {} && zip -r {}function.zip .)", folder, up);
}

std::string zip_the_content_of(std::string_view folder) {
  return fmt::format("zip the folder's content, not the folder{}", zip_command(folder));
}

// "main.py" is there, as a link that leads to no file.
Words dangling_link(const BundleTree& tree, Runtime runtime) {
  for (const auto name : traits_of(runtime).entry_files) {
    const auto* node = tree.find(name);
    if (node == nullptr || node->type != EntryType::symlink) continue;
    return fmt::format("its {} is a link to \"{}\", and no such file is in the ZIP", name, shown_name(node->target));
  }
  return std::nullopt;
}

// "Main.py".
Words wrong_case(const BundleTree& tree, Runtime runtime) {
  for (const auto& [path, node] : tree.nodes()) {
    for (const auto name : traits_of(runtime).entry_files) {
      if (node.type == EntryType::directory || ascii_lower(path) != name) continue;
      return fmt::format("it has \"{}\", which must be written {}", path, name);
    }
  }
  return std::nullopt;
}

// What another runtime looks for.
Words other_runtime(const BundleTree& tree) {
  std::string_view file;
  std::vector<std::string> fitting;
  for (const auto& runtime : kRuntimes) {
    for (const auto name : runtime.entry_files) {
      if (!tree.file_at(name) || (!file.empty() && file != name)) continue;
      file = name;
      fitting.push_back(fmt::format("runtime={}", runtime.name));
    }
  }
  if (file.empty()) return std::nullopt;
  return fmt::format("it has {}: send {}", file, fmt::join(fitting, " or "));
}

// "myfn/main.py": the nearest one to the root.
Words in_a_folder(const BundleTree& tree, Runtime runtime) {
  std::string_view best;
  const auto depth = [](std::string_view path) { return std::ranges::count(path, '/'); };
  for (const auto& [path, node] : tree.nodes()) {
    if (node.type == EntryType::directory || folder_of(path).empty() || is_foreign(path)) continue;
    if (!best.empty() && depth(path) >= depth(best)) continue;
    const auto entries = traits_of(runtime).entry_files;
    if (std::ranges::find(entries, name_of(path)) != entries.end()) best = path;
  }
  if (best.empty()) return std::nullopt;
  const std::string_view folder = folder_of(best);
  return fmt::format("{} was found in the folder \"{}/\": {}", name_of(best), shown_name(folder),
                     zip_the_content_of(folder));
}

// "app.py", "index.ts": sources of the runtime, under other names.
Words other_sources(const BundleTree& tree, Runtime runtime) {
  std::vector<std::string_view> found;
  for (const auto& [path, node] : tree.nodes()) {
    if (node.type == EntryType::directory || !folder_of(path).empty() || path.front() == '.') continue;
    const auto fits = [&](std::string_view suffix) { return path.ends_with(suffix); };
    if (std::ranges::any_of(traits_of(runtime).source_suffixes, fits)) found.push_back(path);
  }
  if (found.empty()) return std::nullopt;
  const auto is_typescript = [](std::string_view path) {
    return path.ends_with(".ts") || path.ends_with(".mts") || path.ends_with(".cts") || path.ends_with(".tsx");
  };
  const std::string_view wanted = traits_of(runtime).entry_files.front();
  if (std::ranges::all_of(found, is_typescript)) {
    return fmt::format("it has \"{}\": compile TypeScript to {} before you zip", shown_name(found.front()), wanted);
  }
  std::string names;
  for (std::size_t i = 0; i < std::min(found.size(), kNamesShown); ++i) {
    names += fmt::format("{}\"{}\"", i == 0 ? "" : ", ", shown_name(found[i]));
  }
  if (found.size() > kNamesShown) names += " and others";
  return fmt::format("it has {}: the file with the handler must be named {}", names, wanted);
}

// "myfn/" alone at the root.
Words one_folder(const BundleTree& tree) {
  std::string_view only;
  for (const auto& [path, node] : tree.nodes()) {
    if (path == "__MACOSX" || !folder_of(path).empty()) continue;
    if (!only.empty() || node.type != EntryType::directory) return std::nullopt;
    only = path;
  }
  if (only.empty()) return std::nullopt;
  return fmt::format("all that it has lies in the folder \"{}/\": {}", shown_name(only), zip_the_content_of(only));
}

}  // namespace

std::string missing_entry_message(const BundleTree& tree, Runtime runtime) {
  const std::string missing = fmt::format("The ZIP has no {} at its root, which a {} function needs",
                                          joined(traits_of(runtime).entry_files, " or "), to_string(runtime));
  Words hint = dangling_link(tree, runtime);
  if (!hint) hint = wrong_case(tree, runtime);
  if (!hint) hint = other_runtime(tree);
  if (!hint) hint = in_a_folder(tree, runtime);
  if (!hint) hint = other_sources(tree, runtime);
  if (!hint) hint = one_folder(tree);
  return hint ? fmt::format("{}; {}.", missing, *hint) : missing + ".";
}

}  // namespace infra
