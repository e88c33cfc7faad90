// A function that tries to get out of its sandbox as breakout/main.py does: the same tries by the same names, with system
// calls of its own. What is the same in any language main.py and bombs.py try as its child, under its own filter.
#include "escape.hpp"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <infra.hpp>

namespace {

using Found = std::vector<std::pair<std::string, std::string>>;

std::string object(const Found& found) {
  std::string text;
  for (const auto& one : found)
    text += (text.empty() ? "{" : ",") + infra::detail::quoted(one.first) + ":" + infra::detail::quoted(one.second);
  return text + "}";
}

// What came of a call that must fail.
std::string refused(long value) {
  if (value >= 0) return "ESCAPED: it gave " + std::to_string(value);
  const char* name = strerrorname_np(errno);
  return "refused: " + (name != nullptr ? std::string(name) : std::to_string(errno));
}

std::string contained(bool good, const std::string& what) { return (good ? "contained: " : "ESCAPED: ") + what; }

std::string read_file(const std::string& path) {
  std::string text(1 << 16, '\0');
  const int file = open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  const ssize_t size = file < 0 ? -1 : read(file, &text[0], text.size());
  const int error = errno;
  if (file >= 0) close(file);
  errno = error;
  text.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
  return size < 0 ? "\xff" : text;
}

bool has_line(const std::string& status, const std::string& line) { return status.find("\n" + line + "\n") != std::string::npos; }

bool is_powerless() {
  const std::string status = read_file("/proc/self/status");
  for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"})
    if (!has_line(status, std::string(set) + ":\t0000000000000000")) return false;
  return has_line(status, "Uid:\t1000\t1000\t1000\t1000") && has_line(status, "Gid:\t1000\t1000\t1000\t1000") &&
         has_line(status, "NoNewPrivs:\t1") && has_line(status, "Seccomp:\t2");
}

// Text becomes a pointer to it, [n] a pointer to n zeroed bytes.
std::string call(const Json& words) {
  long arguments[7] = {};
  std::vector<std::string> kept(words.items.size());
  for (std::size_t i = 0; i < words.items.size() && i < 7; ++i) {
    const Json& word = words.items[i];
    if (word.kind == Json::number) {
      arguments[i] = word.integer;
      continue;
    }
    kept[i] = word.kind == Json::array ? std::string(static_cast<std::size_t>(word.items[0].integer), '\0') : word.text;
    arguments[i] = reinterpret_cast<long>(kept[i].c_str());
  }
  return refused(syscall(arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5], arguments[6]));
}

Found calls(const Json& event) {
  Found found;
  for (const auto& one : event["calls"].members) found.emplace_back(one.first, call(one.second));
  return found;
}

Found read_files(const Json& event) {
  Found found;
  for (const auto& path : event["paths"].items) {
    const bool failed = read_file(path.text) == "\xff";
    found.emplace_back(path.text, refused(failed ? -1 : 0));
  }
  return found;
}

Found write_files(const Json& event) {
  Found found;
  for (const auto& path : event["paths"].items)
    for (const int flags : {O_WRONLY, O_WRONLY | O_CREAT, O_RDWR | O_TRUNC})
      found.emplace_back(path.text + " " + std::to_string(flags), refused(open(path.text.c_str(), flags, 0666)));
  return found;
}

bool address_of(const std::string& host, long port, sockaddr_storage& into) {
  auto* four = reinterpret_cast<sockaddr_in*>(&into);
  auto* six = reinterpret_cast<sockaddr_in6*>(&into);
  into = {};
  four->sin_port = htons(static_cast<unsigned short>(port));  // where IPv6 has it, too
  into.ss_family = host.find(':') == std::string::npos ? AF_INET : AF_INET6;
  return inet_pton(into.ss_family, host.c_str(), into.ss_family == AF_INET ? static_cast<void*>(&four->sin_addr) : &six->sin6_addr) == 1;
}

// Negative unless something answered.
int knock(const sockaddr_storage& address, int kind) {
  const int fd = socket(address.ss_family, kind | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  int came = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(sockaddr_in6));
  if (came == 0 && kind == SOCK_DGRAM) came = send(fd, "knock", 5, 0) < 0 ? -1 : -2;
  if (came == -2 || (came < 0 && errno == EINPROGRESS)) {
    pollfd one{fd, static_cast<short>(kind == SOCK_DGRAM ? POLLIN : POLLOUT), 0};
    int error = ETIMEDOUT;
    socklen_t size = sizeof error;
    if (poll(&one, 1, 500) > 0) getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    errno = error;
    came = error == 0 ? 0 : -1;
  }
  const int error = errno;
  close(fd);
  errno = error;
  return came;
}

Found connect_to(const Json& event) {
  Found found;
  for (const auto& one : event["addresses"].items) {
    const std::string name = one.items[0].text + " " + std::to_string(one.items[1].integer);
    sockaddr_storage address;
    if (!address_of(one.items[0].text, one.items[1].integer, address)) throw std::runtime_error("no address: " + name);
    found.emplace_back("TCP " + name, refused(knock(address, SOCK_STREAM)));
    found.emplace_back("UDP " + name, refused(knock(address, SOCK_DGRAM)));
  }
  return found;
}

Found kill_others(const Json& event) {
  Found found;
  for (const auto& pid : event["pids"].items) {
    found.emplace_back("process " + std::to_string(pid.integer), refused(kill(static_cast<pid_t>(pid.integer), SIGKILL)));
    found.emplace_back("group " + std::to_string(pid.integer), refused(kill(-static_cast<pid_t>(pid.integer), SIGKILL)));
    found.emplace_back("thread " + std::to_string(pid.integer), refused(syscall(SYS_tkill, pid.integer, SIGKILL)));
    found.emplace_back("by descriptor " + std::to_string(pid.integer), refused(syscall(SYS_pidfd_open, pid.integer, 0)));
  }
  for (const int signal : {SIGKILL, SIGSTOP, SIGTERM, SIGSEGV}) kill(1, signal);
  found.emplace_back("init", contained(access("/proc/1", F_OK) == 0, "init takes no signal from inside"));
  return found;
}

Found rights(const Json&) {
  Found found{{"at first", contained(is_powerless(), "no capability, no way to new privileges, filtered")}};
  const gid_t root = 0;
  found.emplace_back("setuid", refused(syscall(SYS_setuid, 0)));
  found.emplace_back("setgid", refused(syscall(SYS_setgid, 0)));
  found.emplace_back("setresuid", refused(syscall(SYS_setresuid, 0, 0, 0)));
  found.emplace_back("seteuid of another slot", refused(syscall(SYS_setresuid, -1, 1000001, -1)));
  found.emplace_back("setfsuid", contained(syscall(SYS_setfsuid, 0) != 0 && syscall(SYS_setfsuid, -1) != 0, "it stays"));
  found.emplace_back("setgroups", refused(syscall(SYS_setgroups, 1, &root)));
  found.emplace_back("no_new_privs off", refused(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0)));
  found.emplace_back("bounding set", refused(prctl(PR_CAPBSET_DROP, 0, 0, 0, 0)));
  found.emplace_back("filter off", refused(prctl(PR_SET_SECCOMP, 0, 0, 0, 0)));
  const char* const su[] = {"/usr/bin/su", "-c", "true", nullptr};
  const pid_t child = fork();
  if (child == 0) {
    dup2(open("/dev/null", O_RDWR), 0);
    dup2(0, 1), dup2(0, 2);
    execv(su[0], const_cast<char* const*>(su));
    _exit(1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  found.emplace_back("su", contained(status != 0, "it is nobody's way to root"));
  found.emplace_back("in the end", contained(is_powerless(), "still no rights"));
  return found;
}

// Nothing of the worker's is open here: the null device, two pipes, and the socket.
Found descriptors(const Json&) {
  std::string kinds;
  int sockets = 0;
  bool good = true;
  DIR* folder = opendir("/proc/self/fd");
  for (const dirent* entry = readdir(folder); entry != nullptr; entry = readdir(folder)) {
    char target[256] = {};
    if (readlinkat(dirfd(folder), entry->d_name, target, sizeof target - 1) <= 0) continue;
    const std::string kind = target;
    kinds += kind + " ";
    sockets += kind.compare(0, 7, "socket:") == 0;
    good = good && (kind == "/dev/null" || kind.compare(0, 5, "pipe:") == 0 || kind.compare(0, 7, "socket:") == 0 ||
                    kind.compare(0, 6, "/proc/") == 0);
  }
  closedir(folder);
  return {{"descriptors", contained(good && sockets <= 1, kinds)}};
}

// A compiled program's own ways into a process: memory, a debugger's files, its loader.
Found inspector(const Json&) {
  Found found;
  for (const char* path : {"/proc/1/mem", "/proc/1/maps", "/proc/1/auxv", "/proc/1/fd/3", "/proc/1/task/1/mem", "/proc/1/map_files"})
    found.emplace_back(path, refused(open(path, O_RDONLY)));
  const int memory = open("/proc/self/mem", O_RDWR);
  char own[4] = "own", read_back[4] = {};
  const bool same = pread(memory, read_back, 4, reinterpret_cast<off_t>(own)) == 4 && memcmp(own, read_back, 4) == 0;
  close(memory);
  found.emplace_back("its own memory", contained(same, "may be read, being its own"));
  found.emplace_back("a write to its own vdso", contained(access("/proc/self/maps", R_OK) == 0, "stays in this process"));
  found.emplace_back("another uid's core", refused(prctl(PR_SET_MM, 1, 0, 0, 0)));
  return found;
}

}  // namespace

std::string with_python(const std::string& name, const std::string& event, bool is_bomb) {
  int out[2];
  if (pipe2(out, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  const std::string code = "import bombs, json, sys; print(json.dumps(bombs." + name + "(json.loads(sys.argv[1]))), flush=True)";
  const pid_t child = fork();
  if (child == 0) {
    dup2(out[1], 1);
    if (is_bomb) {
      fcntl(3, F_SETFD, 0);
      execl("/usr/bin/python3", "python3", "-B", "-c", code.c_str(), event.c_str(), nullptr);
    }
    execl("/usr/bin/python3", "python3", "-B", "/workspace/main.py", name.c_str(), event.c_str(), nullptr);
    _exit(127);
  }
  close(out[1]);
  std::string text;
  char part[65536];
  for (ssize_t size; (size = read(out[0], part, sizeof part)) > 0;) text.append(part, static_cast<std::size_t>(size));
  close(out[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (status != 0) throw std::runtime_error("python's " + name + " ended with " + std::to_string(status));
  return text;
}

std::string handler(const std::string& text, const infra::Context&) {
  if (!is_powerless()) throw std::runtime_error("ESCAPED: this is no sandbox");  // what follows would take the machine down
  const Json event = parse(text);
  const std::string& name = event["try"].text;
  static const std::pair<const char*, Found (*)(const Json&)> kTries[] = {
      {"calls", calls}, {"read_files", read_files}, {"write_files", write_files}, {"connect", connect_to}, {"kill", kill_others},
      {"rights", rights}, {"descriptors", descriptors}, {"inspector", inspector}};
  for (const auto& one : kTries)
    if (name == one.first) return object(one.second(event));
  std::string result;
  return bomb(name, event, text, result) ? result : with_python(name, text, false);
}

INFRA_HANDLER(handler)
