#include "cli/profiles.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

#include "cli/toml_text.h"
#include "core/text.h"

namespace infra::cli {
namespace {

namespace fs = std::filesystem;

std::optional<std::string> read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

bool is_profile_name(std::string_view name) {
  const auto is_allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  };
  return !name.empty() && name.size() <= 128 && name[0] != '.' && std::ranges::all_of(name, is_allowed);
}

std::string profile_text(const Profile& profile) {
  std::string text = fmt::format("url = {}\nkey = {}\n", toml_quote(profile.url), toml_quote(profile.key));
  if (!profile.ca_file.empty()) text += fmt::format("ca_file = {}\n", toml_quote(profile.ca_file));
  return text;
}

fs::path profile_path(std::string_view name) {
  return fs::path("profiles") / (std::string(name) + ".toml");
}

fs::path configuration_folder() {
  if (const char* const folder = std::getenv("XDG_CONFIG_HOME"); folder != nullptr && *folder == '/')
    return fs::path(folder) / "infra";
  const char* const home = std::getenv("HOME");
  return fs::path(home == nullptr ? "" : home) / ".config" / "infra";
}

Outcome<std::optional<Profile>> Profiles::read(std::string_view name) const {
  if (!is_profile_name(name))
    return wrong_usage(fmt::format("\"{}\" is no profile's name: letters, digits, '-', '_' and '.' make one.", name));
  const fs::path path = folder_ / profile_path(name);
  const auto text = read_file(path);
  if (!text) {
    if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
    return wrong_usage(fmt::format("The profile {} can't be read: {}.", path.string(), std::strerror(errno)));
  }
  const auto entries = read_toml(*text);
  if (!entries) return wrong_usage(fmt::format("The profile {} is none: {}", path.string(), entries.error()));
  Profile profile{.name = std::string(name), .url = {}, .key = {}};
  for (const auto& entry : *entries) {
    if (entry.key == "url") profile.url = entry.value;
    if (entry.key == "key") profile.key = entry.value;
    if (entry.key == "ca_file") profile.ca_file = entry.value;
  }
  if (profile.url.empty()) return wrong_usage(fmt::format("The profile {} has no url.", path.string()));
  return profile;
}

Outcome<std::optional<Profile>> Profiles::with_url(std::string_view url) const {
  std::vector<std::string> all = names();
  all.insert(all.begin(), default_name());
  for (const auto& name : all) {
    auto profile = read(name);
    if (!profile || (*profile && (*profile)->url == url)) return profile;
  }
  return std::nullopt;
}

std::string Profiles::default_name() const {
  const std::string name(trim(read_file(folder_ / "default-profile").value_or("")));
  return is_profile_name(name) ? name : std::string(kLocalProfile);
}

std::vector<std::string> Profiles::names() const {
  std::vector<std::string> found;
  std::error_code error;
  fs::directory_iterator at(folder_ / "profiles", error);
  for (; !error && at != fs::directory_iterator(); at.increment(error)) {
    const fs::path& path = at->path();
    if (path.extension() == ".toml" && is_profile_name(path.stem().string())) found.push_back(path.stem().string());
  }
  std::ranges::sort(found);
  return found;
}

Outcome<void> Profiles::write(const Profile& profile) const {
  return write_file(folder_ / profile_path(profile.name), profile_text(profile));
}

Outcome<void> Profiles::make_default(std::string_view name) const {
  return write_file(folder_ / "default-profile", std::string(name) + "\n");
}

// Beside its place and then into it, so that a reader finds the old or the new one whole.
Outcome<void> Profiles::write_file(const fs::path& path, std::string_view text) const {
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  std::string part = path.string() + ".XXXXXX";
  const int file = mkostemp(part.data(), O_CLOEXEC);  // mode 600
  const bool written = file >= 0 && ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (file >= 0) close(file);
  if (written && rename(part.c_str(), path.c_str()) == 0) return {};
  const int why = errno;
  if (file >= 0) unlink(part.c_str());
  return wrong_usage(fmt::format("{} can't be written: {}.", path.string(), std::strerror(why)));
}

}  // namespace infra::cli
