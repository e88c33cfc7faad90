#include "main/confinement.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error_codes.h"
#include "core/operator_error_codes.h"
#include "main/identity.h"
#include "sandbox/confinement/program_filter.h"
#include "sandbox/confinement/program_view.h"
#include "telemetry/log.h"

namespace infra {
namespace {

namespace fs = std::filesystem;

// Sanitizers attach to the process at its end, and make calls of their own.
constexpr bool kSanitized = INFRA_SANITIZED;

// Capabilities, mounts and filters are a thread's: one that is there already would keep all it has.
bool has_threads() {
  struct stat tasks{};
  return ::stat("/proc/self/task", &tasks) == 0 && tasks.st_nlink != 3;
}

}  // namespace

Result<std::optional<sandbox::Identity>> whom_to_become(const std::string& user, const fs::path& data) {
  const bool is_root = ::geteuid() == 0;
  if (!is_root && user.empty()) return std::nullopt;
  const auto chosen = choose_identity(user, data, MachineUsers());
  if (!chosen) return fail(chosen.error());
  if (chosen->uid == ::geteuid()) {
    if (is_root) log::warn("--user root: infra goes on as root, who may write what it sees; name another user");
    return std::nullopt;
  }
  if (is_root && sandbox::can_become(*chosen)) return *chosen;
  const std::string why = fmt::format("infra was started as uid {}, and can't become uid {} here", ::geteuid(),
                                      static_cast<unsigned>(chosen->uid));
  if (!user.empty()) {
    return fail(errors::cannot_become_user,
                fmt::format("--user {}: {}: that takes root with CAP_SETUID, CAP_SETGID and CAP_CHOWN, and a user "
                            "namespace that has this number.",
                            user, why));
  }
  log::warn(why + "; it goes on as root, without capabilities");
  return std::nullopt;
}

Result<void> confine(const Confinement& wanted) {
  const bool was_root = ::geteuid() == 0;
  if (!wanted.isolate && !was_root && !sandbox::has_capabilities()) return {};  // and gave functions no less
  if (!kSanitized && has_threads())
    return fail(errors::internal, "A thread was started before infra gave up its privileges; it would keep them.");
  const bool view = wanted.isolate && sandbox::can_mount();
  if (view) {
    auto entered = sandbox::enter_view({.data = wanted.data, .data_path = wanted.data_path, .folders = wanted.folders});
    if (!entered) return entered;
  }
  if (auto dropped = sandbox::drop_privileges(wanted.become); !dropped) return dropped;
  if (!kSanitized) {
    if (auto forbidden = sandbox::forbid_core_dumps(); !forbidden) return forbidden;
  }
  const bool filter = wanted.isolate && !kSanitized;
  if (filter) {
    if (auto installed = sandbox::install_program_filter(); !installed) return installed;
  }
  log::info("privileges given up", {{"uid", static_cast<std::int64_t>(::geteuid())},
                                    {"gid", static_cast<std::int64_t>(::getegid())},
                                    {"ownView", view},
                                    {"callFilter", filter}});
  return {};
}

std::vector<fs::path> openssl_folders(const Variables& variables) {
  std::vector<fs::path> folders;
  const auto value = [&](std::string_view name) {
    const auto found = variables.find(name);
    return found == variables.end() ? fs::path() : fs::path(found->second);
  };
  for (const auto& file : {value("SSL_CERT_FILE"), value("OPENSSL_CONF")}) {
    if (file.is_absolute()) folders.push_back(file.parent_path());
  }
  if (const auto folder = value("SSL_CERT_DIR"); folder.is_absolute()) folders.push_back(folder);
  return folders;
}

}  // namespace infra
