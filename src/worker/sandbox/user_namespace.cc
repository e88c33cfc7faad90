#include "worker/sandbox/user_namespace.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

#include <cerrno>
#include <string>

#include "worker/sandbox/raw_fork.h"
#include "worker/sandbox/system_error.h"

namespace infra::worker {
namespace {

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

}  // namespace

Result<UniqueFd> make_user_namespace(const IdMap& map) {
  // A namespace is mapped from outside while a process is inside, so a short-lived child holds it.
  int ready[2] = {-1, -1};
  if (::pipe2(ready, O_CLOEXEC) != 0) return system_failure("pipe");
  const UniqueFd read_end(ready[0]);
  UniqueFd write_end(ready[1]);
  const pid_t holder = raw_fork();
  if (holder < 0) return system_failure("fork");
  if (holder == 0) {
    const int failed = ::unshare(CLONE_NEWUSER) == 0 ? 0 : errno;
    if (::write(write_end.get(), &failed, sizeof failed) != sizeof failed) ::_exit(1);
    for (;;) ::pause();
  }
  write_end.reset();
  int failed = EIO;
  const bool answered = ::read(read_end.get(), &failed, sizeof failed) == sizeof failed;
  Result<UniqueFd> space = !answered || failed != 0
                               ? Result<UniqueFd>(system_failure("making a user namespace", failed))
                               : map_and_open(holder, map);
  ::kill(holder, SIGKILL);
  ::waitpid(holder, nullptr, 0);
  return space;
}

}  // namespace infra::worker
