// Where the user's platforms are, and their keys: a file each in the configuration folder, mode 600. `infra login` and
// `infra dev` write them.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/failure.h"

namespace infra::cli {

inline constexpr std::string_view kLocalProfile = "local";  // infra dev's; the default until one logs in elsewhere

struct Profile {
  std::string name;
  std::string url;
  std::string key;
  std::string ca_file{};  // empty: the system's authorities
};

// Letters, digits, '-', '_' and '.', the first no dot.
[[nodiscard]] bool is_profile_name(std::string_view name);
// The file's text.
[[nodiscard]] std::string profile_text(const Profile& profile);
// Its path below the configuration folder.
[[nodiscard]] std::filesystem::path profile_path(std::string_view name);

class Profiles {
 public:
  // `folder`: $XDG_CONFIG_HOME/infra, or ~/.config/infra.
  explicit Profiles(std::filesystem::path folder) : folder_(std::move(folder)) {}

  // Nullopt if there is none.
  [[nodiscard]] Outcome<std::optional<Profile>> read(std::string_view name) const;
  // One that has this URL, the default first.
  [[nodiscard]] Outcome<std::optional<Profile>> with_url(std::string_view url) const;
  [[nodiscard]] std::string default_name() const;
  [[nodiscard]] Outcome<void> write(const Profile& profile) const;
  [[nodiscard]] Outcome<void> make_default(std::string_view name) const;

 private:
  [[nodiscard]] std::vector<std::string> names() const;
  [[nodiscard]] Outcome<void> write_file(const std::filesystem::path& path, std::string_view text) const;

  std::filesystem::path folder_;
};

// By the environment; a relative path if there is no home.
[[nodiscard]] std::filesystem::path configuration_folder();

}  // namespace infra::cli
