// From the rights that the program starts with to those that it works with (docs/privileges.md).
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
#include "main/env_file.h"
#include "sandbox/system/privileges.h"

namespace infra {

// Nullopt: it stays who it is, because it is not root's to change that, `user` (of --user) says so, or this container
// knows no other uid, which is warned of. `unknown_user`, or `cannot_become_user` for one that it can't be.
[[nodiscard]] Result<std::optional<sandbox::Identity>> whom_to_become(const std::string& user,
                                                                      const std::filesystem::path& data);

struct Confinement {
  std::optional<sandbox::Identity> become;
  bool isolate;                                  // false (INFRA_SANDBOX=none): functions are this program's children
  int data;                                      // a descriptor of the data folder
  std::filesystem::path data_path;               // absolute
  std::vector<std::filesystem::path> folders{};  // to see beside it, read-only
};

// Gives up every capability and right that is not needed, for good. Before any thread exists; says in the log what it
// has become.
[[nodiscard]] Result<void> confine(const Confinement& wanted);

// Where `variables` tell OpenSSL to look for authorities and settings.
[[nodiscard]] std::vector<std::filesystem::path> openssl_folders(const Variables& variables);

}  // namespace infra
