#include "sandbox/spawner/shared_locks.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <filesystem>
#include <set>

#include "sandbox/system/raw_fork.h"

namespace infra::sandbox {
namespace {

std::string_view next_word(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  const std::string_view word = text.substr(0, text.find_first_of(" \t\n"));
  text.remove_prefix(word.size());
  return word;
}

template <typename Number>
std::optional<Number> number(std::string_view text, int base) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  return error == std::errc{} && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

std::optional<dev_t> device(std::string_view text, int base) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto major = number<unsigned>(text.substr(0, colon), base);
  const auto minor = number<unsigned>(text.substr(colon + 1), base);
  return major && minor ? std::optional(makedev(*major, *minor)) : std::nullopt;
}

// One line at a time of one of the kernel's lists, which functions' own locks may make as long as they like. Until
// `each` says that it has seen enough; whether it has.
template <typename Each>
bool any_line_of(const std::string& path, const Each& each) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  std::array<char, 16384> part{};
  for (ssize_t got = 0; file.valid() && (got = ::read(file.get(), part.data(), part.size())) > 0;) {
    text.append(part.data(), static_cast<std::size_t>(got));
    std::size_t begin = 0;
    for (std::size_t end = 0; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
      if (each(std::string_view(text).substr(begin, end - begin))) return true;
    }
    text.erase(0, begin);
  }
  return false;
}

// Those of which each object is a file of its own: memory files, pipes, sockets.
std::set<dev_t> devices_of_lone_files() {
  std::array<int, 2> pipe{-1, -1};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) pipe = {-1, -1};
  const std::array<UniqueFd, 4> files{UniqueFd(::memfd_create("own", MFD_CLOEXEC)), UniqueFd(pipe[0]),
                                      UniqueFd(pipe[1]), UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0))};
  std::set<dev_t> found;
  for (const auto& file : files) {
    struct stat info{};
    if (::fstat(file.get(), &info) == 0) found.insert(info.st_dev);
  }
  return found;
}

// What the kernel lists of a process's open files tells of locks that the list of locks ascribes to nobody who lives.
// Until `each` says that it has seen enough; whether it has.
template <typename Each>
bool each_open_one(pid_t process, const Each& each) {
  std::error_code error;
  std::filesystem::directory_iterator file("/proc/" + std::to_string(process) + "/fdinfo", error);
  for (const std::filesystem::directory_iterator end; !error && file != end; file.increment(error)) {
    const bool enough = any_line_of(file->path().string(), [&](std::string_view line) {
      constexpr std::string_view kLock = "lock:";
      if (!line.starts_with(kLock)) return false;
      const auto lock = parse_lock(line.substr(kLock.size()));
      return lock && each(*lock);
    });
    if (enough) return true;
  }
  return false;
}

std::vector<pid_t> processes_of(const SharedLocks::Suspect& suspect) {
  std::vector<pid_t> processes;
  any_line_of(suspect.processes, [&](std::string_view line) {
    if (const auto process = number<pid_t>(line, 10)) processes.push_back(*process);
    return false;
  });
  return processes;
}

bool holds_many(const SharedLocks::Suspect& suspect) {
  std::int64_t count = 0;
  return std::ranges::any_of(processes_of(suspect), [&](pid_t process) {
    return each_open_one(process, [&](const FileLock&) { return ++count > suspect.most; });
  });
}

bool holds_one(const SharedLocks::Suspect& suspect, const std::vector<FileLock>& locks, std::set<dev_t> own) {
  const auto processes = processes_of(suspect);
  const auto is_its_own = [&](const FileLock& lock) {
    return std::ranges::find(processes, lock.process) != processes.end();
  };
  const bool some_are_nobodys = std::ranges::find(locks, -1, &FileLock::process) != locks.end();
  if (!some_are_nobodys && std::ranges::none_of(locks, is_its_own)) return false;
  any_line_of("/proc/" + std::to_string(suspect.init) + "/mountinfo", [&](std::string_view mount) {
    if (const auto device = own_device(mount)) own.insert(*device);
    return false;
  });
  const auto is_shared = [&](const FileLock& lock) { return !own.contains(lock.device); };
  return std::ranges::any_of(locks, [&](const FileLock& lock) { return is_its_own(lock) && is_shared(lock); }) ||
         (some_are_nobodys &&
          std::ranges::any_of(processes, [&](pid_t process) { return each_open_one(process, is_shared); }));
}

// In ticks since the machine's start; none of one that has ended. Its name, which may hold anything, ends with ')'.
std::optional<std::uint64_t> begin_of(pid_t process) {
  std::optional<std::uint64_t> begin;
  any_line_of("/proc/" + std::to_string(process) + "/stat", [&](std::string_view line) {
    line.remove_prefix(std::min(line.rfind(')') + 1, line.size()));
    for (int field = 3; field < 22; ++field) (void)next_word(line);
    begin = number<std::uint64_t>(next_word(line), 10);
    return false;
  });
  return begin;
}

// Those that may be a sandbox's: what was there before the spawner is none of its processes, nor is the program. One of
// those that a process has on a file system stands for all: there may be more of them than of anything else.
std::vector<FileLock> locks_of_sandboxes() {
  std::set<FileLock> locks;
  const pid_t spawner = ::getppid();
  any_line_of("/proc/locks", [&](std::string_view line) {
    if (const auto lock = parse_lock(line); lock && lock->process != spawner) locks.insert(*lock);
    return false;
  });
  if (locks.empty()) return {};
  const auto begin = begin_of(spawner);
  std::vector<FileLock> found;
  for (const auto& lock : locks) {
    const auto other = lock.process > 0 ? begin_of(lock.process) : std::nullopt;
    if (!other) {
      found.push_back({.process = -1, .device = lock.device});  // whoever took it has ended
    } else if (!begin || *other >= *begin) {
      found.push_back(lock);
    }
  }
  return found;
}

[[noreturn]] void look_and_answer(const std::vector<SharedLocks::Suspect>& suspects, int answer) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  const bool wants_all = std::ranges::any_of(suspects, [](const auto& suspect) { return suspect.most == 0; });
  const auto locks = wants_all ? locks_of_sandboxes() : std::vector<FileLock>();
  const auto lone = locks.empty() ? std::set<dev_t>() : devices_of_lone_files();
  for (const auto& suspect : suspects) {
    if (suspect.most == 0 && locks.empty()) continue;
    const SharedLocks::Finding finding{.sandbox = suspect.sandbox, .many = suspect.most > 0};
    if (finding.many ? holds_many(suspect) : holds_one(suspect, locks, lone))
      (void)!::write(answer, &finding, sizeof finding);
  }
  ::_exit(0);
}

}  // namespace

// "1: FLOCK  ADVISORY  WRITE 1234 fe:01:5678 0 EOF": what the device's numbers are hexadecimal in.
std::optional<FileLock> parse_lock(std::string_view line) {
  (void)next_word(line);  // its place in the list
  if (next_word(line) == "->") return std::nullopt;
  (void)next_word(line);  // ADVISORY
  (void)next_word(line);  // WRITE
  const auto process = number<pid_t>(next_word(line), 10);
  const std::string_view file = next_word(line);
  const auto on = device(file.substr(0, std::min(file.rfind(':'), file.size())), 16);
  if (!process || !on) return std::nullopt;
  return FileLock{.process = *process, .device = *on};
}

// proc(5): "36 35 0:55 / /tmp rw,nosuid …".
std::optional<dev_t> own_device(std::string_view mount) {
  constexpr std::array<std::string_view, 6> kOwn{"/tmp", "/dev/shm", "/output", "/workspace", "/dev", "/proc"};
  (void)next_word(mount);
  (void)next_word(mount);
  const auto on = device(next_word(mount), 10);
  (void)next_word(mount);
  return std::ranges::find(kOwn, next_word(mount)) != kOwn.end() ? on : std::nullopt;
}

void SharedLocks::look(std::vector<Suspect>& suspects) {
  if (is_looking() || suspects.empty()) return;
  looked_ = std::chrono::steady_clock::now();
  std::array<int, 2> ends{-1, -1};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return;
  UniqueFd answer(ends[0]);
  ::fcntl(answer.get(), F_SETFL, O_NONBLOCK);
  const UniqueFd theirs(ends[1]);
  process_ = raw_fork();
  if (process_ == 0) look_and_answer(suspects, theirs.get());
  if (process_ < 0) return;
  suspects.clear();
  answer_ = std::move(answer);
}

std::chrono::milliseconds SharedLocks::pause_left(SteadyTime now) const {
  if (is_looking()) return std::chrono::milliseconds::max();
  return std::max(std::chrono::milliseconds(0), std::chrono::ceil<std::chrono::milliseconds>(looked_ + kPause - now));
}

std::vector<SharedLocks::Finding> SharedLocks::take() {
  std::vector<Finding> holders;
  Finding finding;
  ssize_t got = 0;
  while ((got = ::read(answer_.get(), &finding, sizeof finding)) == sizeof finding) holders.push_back(finding);
  if (got < 0) return holders;  // there is more to come
  answer_.reset();
  ::waitpid(process_, nullptr, 0);
  return holders;
}

}  // namespace infra::sandbox
