// Who the program becomes once what needs root is done.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>

#include "core/error.h"
#include "sandbox/system/privileges.h"

namespace infra {

// The machine's users, asked by who chooses one.
class Users {
 public:
  virtual ~Users() = default;
  [[nodiscard]] virtual std::optional<sandbox::Identity> named(const std::string& name) const = 0;
  [[nodiscard]] virtual std::optional<sandbox::Identity> numbered(uid_t uid) const = 0;
  // Whether something has this number: a user, a group, a process, or a service's user for as long as it runs.
  [[nodiscard]] virtual bool is_taken(uid_t uid) const = 0;
};

class MachineUsers final : public Users {
 public:
  [[nodiscard]] std::optional<sandbox::Identity> named(const std::string& name) const override;
  [[nodiscard]] std::optional<sandbox::Identity> numbered(uid_t uid) const override;
  [[nodiscard]] bool is_taken(uid_t uid) const override;
};

inline constexpr const char* kServiceUser = "infra";  // what the Debian package makes
// For users without an entry: systemd's dynamic ones are of this range, too.
inline constexpr uid_t kFirstFreeUid = 61184, kLastFreeUid = 65519;

// `user`: of --user, a name or a number; `unknown_user` if there is none. Else the owner of the data folder, if it is
// there and not root's; else the user infra; else a number that nobody has, which the folder's path picks, and which
// then owns it.
[[nodiscard]] Result<sandbox::Identity> choose_identity(const std::string& user, const std::filesystem::path& data,
                                                        const Users& users);

}  // namespace infra
