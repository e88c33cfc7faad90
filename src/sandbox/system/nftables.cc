#include "sandbox/system/nftables.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstddef>

#include "core/error_codes.h"
#include "sandbox/system/raw_fork.h"
#include "sandbox/system/system_error.h"
#include "sandbox/system/unique_fd.h"

namespace infra::sandbox {
namespace {

constexpr int kPatienceMs = 5000;

[[noreturn]] void become_nft(const std::string& program, int rules, int words) {
  if (::dup2(rules, STDIN_FILENO) < 0 || ::dup2(words, STDOUT_FILENO) < 0 || ::dup2(words, STDERR_FILENO) < 0)
    ::_exit(127);
  ::close_range(STDERR_FILENO + 1, ~0U, 0);
  std::array<const char*, 4> arguments{program.c_str(), "-f", "-", nullptr};
  char* no_environment = nullptr;
  ::execve(program.c_str(), const_cast<char**>(arguments.data()), &no_environment);
  ::_exit(127);
}

std::string first_line(int words) {
  std::array<char, 200> text{};
  const ssize_t got = ::pread(words, text.data(), text.size(), 0);
  const std::string_view all(text.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
  return std::string(all.substr(0, all.find('\n')));
}

}  // namespace

// No search through an environment's PATH: it runs as root.
std::string find_nft() {
  for (const char* path : {"/usr/sbin/nft", "/sbin/nft", "/usr/bin/nft"}) {
    if (::access(path, X_OK) == 0) return path;
  }
  return "";
}

Result<void> run_nft(std::string_view rules) {
  const std::string program = find_nft();
  if (program.empty()) return system_failure("running nft", ENOENT);
  const UniqueFd input(::memfd_create("rules", MFD_CLOEXEC));
  const UniqueFd words(::memfd_create("words", MFD_CLOEXEC));
  if (!input.valid() || !words.valid() ||
      ::write(input.get(), rules.data(), rules.size()) != static_cast<ssize_t>(rules.size()) ||
      ::lseek(input.get(), 0, SEEK_SET) != 0) {
    return system_failure("writing rules");
  }
  const pid_t pid = raw_fork();
  if (pid < 0) return system_failure("running nft");
  if (pid == 0) become_nft(program, input.get(), words.get());
  const UniqueFd pid_fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  pollfd ended{pid_fd.get(), POLLIN, 0};
  const bool in_time = ::poll(&ended, 1, kPatienceMs) == 1;
  if (!in_time) ::kill(pid, SIGKILL);
  int status = 0;
  if (::waitpid(pid, &status, 0) != pid) return system_failure("running nft");
  if (in_time && WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return fail(errors::sandbox_failed,
              "nft refused the rules: " + (in_time ? first_line(words.get()) : std::string("it did not end")));
}

}  // namespace infra::sandbox
