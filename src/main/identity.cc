#include "main/identity.h"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <string_view>

#include "core/operator_error_codes.h"

namespace infra {
namespace {

namespace fs = std::filesystem;

std::optional<sandbox::Identity> identity_of(const passwd* entry) {
  if (entry == nullptr) return std::nullopt;
  return sandbox::Identity{entry->pw_uid, entry->pw_gid};
}

Result<sandbox::Identity> given(const std::string& user, const Users& users) {
  if (const auto named = users.named(user)) return *named;
  uid_t uid = 0;
  const auto [end, error] = std::from_chars(user.data(), user.data() + user.size(), uid);
  if (error == std::errc{} && end == user.data() + user.size()) {
    if (const auto numbered = users.numbered(uid)) return *numbered;
  }
  return fail(errors::unknown_user, fmt::format("--user: there is no user \"{}\".", user));
}

// The group is the user's own, or the folder's, but never root's.
std::optional<sandbox::Identity> owner_of(const fs::path& data, const Users& users) {
  struct stat info{};
  if (::stat(data.c_str(), &info) != 0 || info.st_uid == 0) return std::nullopt;
  if (const auto user = users.numbered(info.st_uid)) return user;
  return sandbox::Identity{info.st_uid, info.st_gid != 0 ? info.st_gid : info.st_uid};
}

// FNV-1a, so that two data folders most likely begin their search at two places.
std::uint32_t hash_of(std::string_view text) {
  std::uint32_t hash = 2'166'136'261U;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 16'777'619U;
  return hash;
}

Result<sandbox::Identity> free_one(const fs::path& data, const Users& users) {
  constexpr uid_t kCount = kLastFreeUid - kFirstFreeUid + 1;
  const uid_t begin = hash_of(data.string()) % kCount;
  for (uid_t i = 0; i < kCount; ++i) {
    const uid_t uid = kFirstFreeUid + (begin + i) % kCount;
    if (!users.is_taken(uid)) return sandbox::Identity{uid, uid};
  }
  return fail(errors::unknown_user,
              fmt::format("All uids from {} to {} are taken; name a user with --user.", kFirstFreeUid, kLastFreeUid));
}

bool has_process(uid_t uid) {
  std::error_code error;
  for (fs::directory_iterator entry("/proc", error), end; !error && entry != end; entry.increment(error)) {
    struct stat info{};
    const std::string name = entry->path().filename();
    if (std::ranges::all_of(name, [](char c) { return c >= '0' && c <= '9'; }) &&
        ::stat(entry->path().c_str(), &info) == 0 && info.st_uid == uid)
      return true;
  }
  return false;
}

}  // namespace

std::optional<sandbox::Identity> MachineUsers::named(const std::string& name) const {
  return identity_of(::getpwnam(name.c_str()));
}

std::optional<sandbox::Identity> MachineUsers::numbered(uid_t uid) const {
  return identity_of(::getpwuid(uid));
}

bool MachineUsers::is_taken(uid_t uid) const {
  std::error_code ignored;
  return ::getpwuid(uid) != nullptr || ::getgrgid(uid) != nullptr || has_process(uid) ||
         fs::exists(fmt::format("/run/systemd/dynamic-uid/{}", uid), ignored);
}

Result<sandbox::Identity> choose_identity(const std::string& user, const fs::path& data, const Users& users) {
  if (!user.empty()) return given(user, users);
  if (const auto owner = owner_of(data, users)) return *owner;
  if (const auto service = users.named(kServiceUser)) return *service;
  return free_one(data, users);
}

}  // namespace infra
