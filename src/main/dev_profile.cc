#include "main/dev_profile.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "cli/profiles.h"
#include "core/at_end.h"
#include "core/text.h"
#include "telemetry/log.h"

namespace infra {
namespace {

namespace fs = std::filesystem;

struct Owner {
  sandbox::Identity identity;
  fs::path configuration;  // of the command line
};

std::optional<Owner> owner_of(std::optional<sandbox::Identity> other) {
  if (!other || other->uid == geteuid())
    return Owner{.identity = {.uid = geteuid(), .gid = getegid()}, .configuration = cli::configuration_folder()};
  const passwd* const entry = getpwuid(other->uid);
  if (entry == nullptr || entry->pw_dir == nullptr) return std::nullopt;
  return Owner{.identity = *other, .configuration = fs::path(entry->pw_dir) / ".config" / "infra"};
}

std::optional<Owner> whose(const std::string& user, const Users& users) {
  if (!user.empty()) {
    const auto number = parse_whole(user);
    return owner_of(number ? users.numbered(static_cast<uid_t>(*number)) : users.named(user));
  }
  const char* const caller = std::getenv("SUDO_UID");
  const auto number = caller == nullptr || geteuid() != 0 ? std::nullopt : parse_whole(caller);
  return owner_of(number ? users.numbered(static_cast<uid_t>(*number)) : std::nullopt);
}

// As its owner, so that what is made is theirs, and no link of theirs leads where they may not write.
int open_as(const Owner& owner) {
  const uid_t uid = geteuid();
  const gid_t gid = getegid();
  const AtEnd return_to_self([&] {
    static_cast<void>(seteuid(uid));
    static_cast<void>(setegid(gid));
  });
  if (setegid(owner.identity.gid) != 0 || seteuid(owner.identity.uid) != 0) return -1;
  const fs::path path = owner.configuration / cli::profile_path(cli::kLocalProfile);
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file >= 0 && fchmod(file, 0600) == 0) return file;
  log::warn("the command line's profile local can't be written", {{"path", path.string()}, {"error", errno}});
  if (file >= 0) close(file);
  return -1;
}

}  // namespace

DevProfile DevProfile::open(const std::string& user, const Users& users) {
  const auto owner = whose(user, users);
  return DevProfile(owner && owner->configuration.is_absolute() ? open_as(*owner) : -1);
}

DevProfile::~DevProfile() {
  if (file_ >= 0) close(file_);
}

bool DevProfile::write(const std::string& address, std::uint16_t port, const std::string& key,
                       const std::string& ca_file) const {
  if (file_ < 0) return false;
  const std::string text = cli::profile_text({.name = std::string(cli::kLocalProfile),
                                              .url = local_url(address, port, !ca_file.empty()),
                                              .key = key,
                                              .ca_file = ca_file});
  const bool written = pwrite(file_, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()) &&
                       ftruncate(file_, static_cast<off_t>(text.size())) == 0;
  if (!written) log::warn("the command line's profile local can't be written", {{"error", errno}});
  return written;
}

std::string local_url(const std::string& address, std::uint16_t port, bool tls) {
  std::string host = address;
  if (address == "0.0.0.0" || address == "::") host = "127.0.0.1";
  if (host.find(':') != std::string::npos) host = "[" + host + "]";
  return fmt::format("{}://{}:{}", tls ? "https" : "http", host, port);
}

}  // namespace infra
