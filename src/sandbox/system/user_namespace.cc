#include "sandbox/system/user_namespace.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <string>

#include "sandbox/system/system_error.h"

namespace infra::sandbox {
namespace {

constexpr std::size_t kHolderStack = 16 * 1024;

Result<void> write_file(const std::string& path, const std::string& text) {
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file.valid() || ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    return system_failure("writing " + path);
  }
  return {};
}

Result<UniqueFd> map_and_open(pid_t holder, const IdMap& map) {
  const std::string process = "/proc/" + std::to_string(holder);
  const auto line = [](auto inside, auto outside) {
    return std::to_string(inside) + " " + std::to_string(outside) + " 1";
  };
  if (auto wrote = write_file(process + "/setgroups", "deny"); !wrote) return fail(wrote.error());
  if (auto wrote = write_file(process + "/uid_map", line(map.uid_inside, map.uid_outside)); !wrote)
    return fail(wrote.error());
  if (auto wrote = write_file(process + "/gid_map", line(map.gid_inside, map.gid_outside)); !wrote)
    return fail(wrote.error());
  UniqueFd space(::open((process + "/ns/user").c_str(), O_RDONLY | O_CLOEXEC));
  if (!space.valid()) return system_failure("opening a user namespace");
  return space;
}

// Makes no use of the memory that it shares.
int hold(void*) {
  for (;;) ::syscall(SYS_ppoll, nullptr, 0, nullptr, nullptr, 0);
}

}  // namespace

Result<UniqueFd> make_user_namespace(const IdMap& map) {
  // A namespace is mapped from outside while a process is inside, so a short-lived child holds it. It shares this
  // process's memory: copying the page tables of an interpreter would take longer than all the rest.
  alignas(16) std::array<char, kHolderStack> stack;
  const pid_t holder = ::clone(hold, stack.data() + stack.size(), CLONE_VM | CLONE_NEWUSER | SIGCHLD, nullptr);
  if (holder < 0) return system_failure("making a user namespace");
  Result<UniqueFd> space = map_and_open(holder, map);
  ::kill(holder, SIGKILL);
  ::waitpid(holder, nullptr, 0);
  return space;
}

}  // namespace infra::sandbox
