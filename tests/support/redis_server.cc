#include "support/redis_server.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <glob.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <stdexcept>
#include <thread>
#include <vector>

#include "core/mutex.h"
#include "support/redis_control.h"
#include "support/temp_folder.h"

namespace infra::testing {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kStartTime{10};
constexpr int kBusOffset = 10'000;  // a cluster's servers talk among themselves there

// Debian's program has several names, and is the server under this one.
std::string find_program() {
  for (const char* const path : {"/usr/bin/redis-server", "/usr/local/bin/redis-server", "/usr/bin/redis-check-rdb"}) {
    if (::access(path, X_OK) == 0) return path;
  }
  throw std::runtime_error("There is no redis-server on this machine; install redis-server or redis-tools.");
}

std::string find_libfaketime() {
  glob_t found{};
  std::string path;
  for (const char* const pattern : {"/usr/lib/*/faketime/libfaketime.so.1", "/usr/lib/faketime/libfaketime.so.1"}) {
    if (path.empty() && ::glob(pattern, 0, nullptr, &found) == 0) path = found.gl_pathv[0];
    ::globfree(&found);
  }
  if (path.empty()) throw std::runtime_error("There is no libfaketime on this machine; install libfaketime.");
  return path;
}

bool can_bind(int port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool ok = ::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(socket);
  return ok;
}

// Below the system's own range, where a client that looks for a dead server could get the server's port itself.
std::uint16_t choose_port(bool cluster) {
  static Mutex mutex;
  static std::minstd_rand random INFRA_GUARDED_BY(mutex){std::random_device{}()};
  const MutexLock lock(mutex);
  std::uniform_int_distribution<int> any(10'000, 21'999);
  for (int tries = 0; tries < 1000; ++tries) {
    const int port = any(random);
    if (can_bind(port) && (!cluster || can_bind(port + kBusOffset))) return static_cast<std::uint16_t>(port);
  }
  throw std::runtime_error("No free port is found.");
}

std::string read_file(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// In place of the old one at once, so that no reader sees half of it.
void replace_file(const fs::path& path, const std::string& text) {
  const fs::path fresh = path.string() + ".new";
  std::ofstream(fresh) << text;
  fs::rename(fresh, path);
}

std::int64_t micros_of(std::chrono::system_clock::time_point time) {
  return std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
}

template <typename Condition>
bool wait_for(Condition condition, std::chrono::seconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(milliseconds(5));
  }
  return true;
}

}  // namespace

struct RedisServer::State {
  explicit State(RedisServerOptions given) : options(std::move(given)) {
    if (options.tls) make_certificate();
    start_on_a_free_port();
  }
  ~State() { stop(); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  // A port that was free a moment ago may be taken now.
  void start_on_a_free_port() {
    for (int tries = 1;; ++tries) {
      port = choose_port(options.cluster);
      tls_port = options.tls ? choose_port(false) : std::uint16_t{0};
      write_config();
      try {
        start();
        return;
      } catch (const std::runtime_error& error) {
        if (tries == 5 || !std::string_view(error.what()).contains("Address already in use")) throw;
      }
    }
  }

  void make_certificate() {
    const std::string command = fmt::format(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost "
        "-addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout {0}/key.pem -out {0}/cert.pem 2>{0}/openssl.log",
        folder.path().string());
    if (std::system(command.c_str()) != 0) {
      throw std::runtime_error("openssl makes no certificate: " + read_file(folder.path() / "openssl.log"));
    }
  }

  void write_config() const {
    std::ofstream config(folder.path() / "redis.conf");
    const std::string where = folder.path().string();
    config << fmt::format("port {}\nbind 127.0.0.1\ndir {}\nsave \"\"\nappendonly no\nprotected-mode no\n", port,
                          where);
    if (options.cluster) {
      config << fmt::format(
          "cluster-enabled yes\ncluster-config-file nodes.conf\ncluster-port {}\ncluster-node-timeout 2000\n"
          "cluster-require-full-coverage no\n",
          port + kBusOffset);
    }
    if (options.tls) {
      config << fmt::format(
          "tls-port {0}\ntls-cert-file {1}/cert.pem\ntls-key-file {1}/key.pem\ntls-ca-cert-file {1}/cert.pem\n"
          "tls-auth-clients no\n",
          tls_port, where);
    }
    if (!options.username.empty()) {
      config << fmt::format("user {} on >{} ~* &* +@all\nuser default off\n", options.username, options.password);
    } else if (!options.password.empty()) {
      config << fmt::format("requirepass {}\n", options.password);
    }
  }

  void start() {
    const std::string program = find_program();
    const std::string config = (folder.path() / "redis.conf").string();
    const std::string output = (folder.path() / "output").string();
    std::vector<std::string> settings;
    if (options.fake_time) settings = fake_time_settings();
    std::vector<char*> environment;
    for (std::string& setting : settings) environment.push_back(setting.data());
    for (char** entry = environ; *entry != nullptr; ++entry) environment.push_back(*entry);
    environment.push_back(nullptr);

    const pid_t parent = ::getpid();
    pid = ::fork();
    if (pid < 0) throw std::runtime_error("fork failed");
    if (pid == 0) {  // only what is safe behind fork() in a program with threads
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      sigset_t none;
      sigemptyset(&none);
      ::sigprocmask(SIG_SETMASK, &none, nullptr);
      const int file = ::open(output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
      ::dup2(file, STDOUT_FILENO);
      ::dup2(file, STDERR_FILENO);
      std::array<const char*, 3> arguments{"redis-server", config.c_str(), nullptr};
      if (::getppid() == parent) {
        ::execve(program.c_str(), const_cast<char* const*>(arguments.data()), environment.data());
      }
      ::_exit(127);
    }
    bool ended = false;
    const bool answers = wait_for(
        [&] {
          ended = ::waitpid(pid, nullptr, WNOHANG) == pid;
          return ended || is_ready();
        },
        kStartTime);
    if (ended) pid = 0;
    if (ended || !answers) {
      stop();
      throw std::runtime_error("redis-server does not start: " + read_file(output));
    }
  }

  // libc goes in front of Debian's jemalloc, whose start asks for the time before libfaketime can tell it.
  std::vector<std::string> fake_time_settings() {
    const MutexLock lock(offset_mutex);
    write_offset();
    return {"LD_PRELOAD=" + find_libfaketime() + " libc.so.6",
            "FAKETIME_TIMESTAMP_FILE=" + offset_file().string(),
            "FAKETIME_NO_CACHE=1",
            "TZ=UTC",
            "DONT_FAKE_MONOTONIC=1",
            "FAKETIME_DONT_FAKE_MONOTONIC=1"};
  }
  [[nodiscard]] fs::path offset_file() const { return folder.path() / "offset"; }
  void write_offset() const INFRA_REQUIRES(offset_mutex) {
    replace_file(offset_file(), fmt::format("+{}.{:03}\n", offset.count() / 1000, offset.count() % 1000));
  }

  void log_in(RedisControl& line) const {
    if (options.password.empty()) return;
    if (options.username.empty()) {
      line.ask({"AUTH", options.password});
    } else {
      line.ask({"AUTH", options.username, options.password});
    }
  }
  [[nodiscard]] bool is_ready() const {
    try {
      RedisControl line(port);
      log_in(line);
      // Another program on this port is not ours.
      return line.ask({"CONFIG", "GET", "dir"}).at(1) == fs::canonical(folder.path()).string();
    } catch (const std::runtime_error&) {
      return false;
    }
  }

  void stop() {
    if (pid <= 0) return;
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    pid = 0;
  }

  RedisServerOptions options;
  TempFolder folder;
  std::uint16_t port = 0;
  std::uint16_t tls_port = 0;
  pid_t pid = 0;

  Mutex offset_mutex;
  milliseconds offset INFRA_GUARDED_BY(offset_mutex){0};
};

RedisServer::RedisServer(RedisServerOptions options) : state_(std::make_unique<State>(std::move(options))) {}
RedisServer::~RedisServer() = default;

void RedisServer::kill() {
  state_->stop();
}

void RedisServer::restart() {
  state_->stop();
  state_->start();
}

void RedisServer::freeze() {
  ::kill(state_->pid, SIGSTOP);
}

void RedisServer::thaw() {
  ::kill(state_->pid, SIGCONT);
}

void RedisServer::advance(milliseconds step) {
  const MutexLock lock(state_->offset_mutex);
  if (!state_->options.fake_time) throw std::logic_error("RedisServer::advance() needs fake_time");
  state_->offset += step;
  const auto offset = state_->offset;
  state_->write_offset();
  RedisControl line(state_->port);
  state_->log_in(line);
  const bool seen = wait_for(
      [&] {
        const auto present = micros_of(std::chrono::system_clock::now() + offset);
        const auto time = line.ask({"TIME"});
        return std::stoll(time.at(0)) * 1'000'000 + std::stoll(time.at(1)) >= present - 1000;
      },
      kStartTime);
  if (!seen) throw std::runtime_error("redis-server does not see its time move");
}

void RedisServer::hold_time(std::chrono::sys_seconds at) {
  if (!state_->options.fake_time) throw std::logic_error("RedisServer::hold_time() needs fake_time");
  {
    const MutexLock lock(state_->offset_mutex);
    replace_file(state_->offset_file(), fmt::format("{:%Y-%m-%d %H:%M:%S}\n", at));
  }
  RedisControl line(state_->port);
  state_->log_in(line);
  const auto seconds = std::to_string(at.time_since_epoch().count());
  if (!wait_for([&] { return line.ask_one({"TIME"}) == seconds; }, kStartTime)) {
    throw std::runtime_error("redis-server does not see its time stand still");
  }
}

std::uint16_t RedisServer::port() const {
  return state_->options.tls ? state_->tls_port : state_->port;
}

net::RedisOptions RedisServer::options() const {
  return net::RedisOptions{.host = "127.0.0.1",
                           .port = port(),
                           .username = state_->options.username,
                           .password = state_->options.password,
                           .tls = state_->options.tls,
                           .ca_file = state_->options.tls ? (state_->folder.path() / "cert.pem").string() : ""};
}

struct RedisCluster::State {
  State() {
    for (auto& node : nodes) node = std::make_unique<RedisServer>(RedisServerOptions{.cluster = true});
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      RedisControl line(nodes[i]->port());
      line.ask({"CLUSTER", "SET-CONFIG-EPOCH", std::to_string(i + 1)});
      line.ask({"CLUSTER", "ADDSLOTSRANGE", std::to_string(16384 * i / 3), std::to_string(16384 * (i + 1) / 3 - 1)});
      if (i == 0) continue;
      line.ask({"CLUSTER", "MEET", "127.0.0.1", std::to_string(nodes[0]->port()),
                std::to_string(nodes[0]->port() + kBusOffset)});
    }
    for (const auto& node : nodes) {
      if (!wait_for([&] { return is_complete(node->port()); }, std::chrono::seconds(30))) {
        throw std::runtime_error("the Redis cluster does not come together");
      }
    }
  }

  static bool is_complete(std::uint16_t port) {
    const std::string info = RedisControl(port).ask_one({"CLUSTER", "INFO"});
    return info.contains("cluster_state:ok") && info.contains("cluster_slots_ok:16384") &&
           info.contains("cluster_known_nodes:3");
  }

  std::array<std::unique_ptr<RedisServer>, 3> nodes;
};

RedisCluster::RedisCluster() : state_(std::make_unique<State>()) {}
RedisCluster::~RedisCluster() = default;

RedisServer& RedisCluster::node(std::size_t index) {
  return *state_->nodes.at(index);
}

net::RedisOptions RedisCluster::options() const {
  return state_->nodes.front()->options();
}

}  // namespace infra::testing
