#include "main/server_command.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <iterator>
#include <optional>
#include <thread>
#include <utility>

#include "adapters/files/left_behind.h"
#include "adapters/system/system_clock.h"
#include "adapters/system/system_executor.h"
#include "adapters/system/system_random.h"
#include "core/operator_error_codes.h"
#include "main/banner.h"
#include "main/confinement.h"
#include "main/data_folders.h"
#include "main/dev_profile.h"
#include "main/embedded_platform.h"
#include "main/fleet_controller.h"
#include "main/fleet_worker.h"
#include "main/install_paths.h"
#include "main/kept_keys.h"
#include "main/secret_files.h"
#include "main/service_manager.h"
#include "main/start_warnings.h"
#include "main/system_network.h"
#include "main/tls_files.h"
#include "main/unknown_variables.h"
#include "main/worker_host.h"
#include "net/http/listening_socket.h"
#include "net/loops/watchdog.h"
#include "sandbox/client/plain_launcher.h"
#include "sandbox/client/sandbox_launcher.h"
#include "sandbox/client/spawner.h"
#include "sandbox/client/spawner_connection.h"
#include "sandbox/system/isolation.h"
#include "sandbox/system/landlock.h"
#include "telemetry/log.h"

namespace infra {
namespace {

// What a stop takes past SHUTDOWN_TIMEOUT_SECONDS at most: what still runs is ended and settled, the disk has it.
constexpr std::chrono::seconds kEndAfterDeadline{30};
constexpr int kBlockingThreadsBesideJobs = 8;  // for files, SQLite's readers and offloaded checks

int give_up(const std::vector<std::string>& sentences) {
  const bool one = sentences.size() == 1;
  fmt::print(stderr, "infra: {} keep{} it from starting:\n",
             one ? "one problem" : fmt::format("{} problems", sentences.size()), one ? "s" : "");
  for (const auto& sentence : sentences) fmt::print(stderr, "  {}\n", sentence);
  return 1;
}

int give_up(const Error& error) {
  return give_up({error.message});
}

// SIGTERM and SIGINT are waited for, never handled: blocked here, before any thread exists. SIGHUP as well, where there
// are TLS files to be read again.
sigset_t block_signals(bool hang_up) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  if (hang_up) sigaddset(&signals, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return signals;
}

// Process managers, terminals and sudo pass one wish on twice.
constexpr std::chrono::seconds kSameWish{1};

// A signal that comes later than that after the first ends the program at once; sandboxes die with it.
void exit_on_second_signal(sigset_t signals) {
  const auto first = std::chrono::steady_clock::now();
  sigdelset(&signals, SIGHUP);
  std::thread([signals, first] {
    int received = 0;
    do {
      sigwait(&signals, &received);
    } while (std::chrono::steady_clock::now() - first < kSameWish);
    log::warn("stopped at once by a second signal", {{"signal", received}});
    log::flush();
    _exit(128 + received);
  }).detach();
}

// Each instance has a dozen descriptors of the program's; most machines' soft limit is for small programs.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

// The kernel's table of descriptors is made as large as it will ever be at once. It doubles when it is full, and in a
// program with threads that waits until all processors have passed a quiet state (fs/file.c: expand_fdtable), 10 to 25
// ms in which a sandbox's descriptors are not taken. 8 bytes each.
void make_room_for_descriptors() {
  constexpr rlim_t kMost = 65'536;  // a thousand instances, and as many connections as are allowed
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const int any = open("/dev/null", O_RDONLY | O_CLOEXEC);
  close(fcntl(any, F_DUPFD_CLOEXEC, static_cast<int>(std::min(limit.rlim_cur, kMost) - 1)));
  close(any);
}

// All addresses are both families where the kernel has both.
std::string listen_address(Command command, const std::string& wanted) {
  if (!wanted.empty()) return wanted;
  if (command == Command::dev) return "127.0.0.1";
  return access("/proc/net/if_inet6", F_OK) == 0 ? "::" : "0.0.0.0";
}

// Before threads, listeners and locks exist: the privileged part is set apart. A fleet's controller runs no functions
// and has none. Nullopt when functions run without isolation.
Result<std::optional<sandbox::SpawnerHandle>> isolate(const Config& config, const std::filesystem::path& data,
                                                      const std::filesystem::path& runtimes,
                                                      const std::vector<std::string>& secrets) {
  if (!config.isolate) return std::nullopt;
  if (auto possible = sandbox::check_isolation(); !possible) return fail(possible.error());
  sandbox::SpawnerOptions options;
  options.program = spawner_program();
  options.versions_root = versions_folder(data);
  options.runners = runtimes;
  options.native_runner = native_runner_folder();
  std::error_code ignored;
  if (const auto library = zygote_library(); !config.python_exec && std::filesystem::exists(library, ignored))
    options.zygote_library = library;
  options.python_packages = config.python_packages;
  options.egress = config.egress;
  options.files = absolute_paths(secrets);
  auto spawner = sandbox::start_spawner(options);
  if (!spawner) return fail(spawner.error());
  return std::move(*spawner);
}

// Without a spawner for functions, one for files: whoever becomes another user leaves his keys behind.
Result<std::optional<sandbox::SpawnerHandle>> open_files_for(const std::optional<sandbox::Identity>& become,
                                                             const std::vector<std::string>& secrets) {
  if (!become || secrets.empty()) return std::nullopt;
  auto opener = sandbox::start_file_opener(spawner_program(), absolute_paths(secrets));
  if (!opener) return fail(opener.error());
  return std::move(*opener);
}

std::unique_ptr<sandbox::Launcher> make_plain_launcher(const Config& config, const std::filesystem::path& data,
                                                       const std::filesystem::path& runtimes) {
  log::warn(
      "INFRA_SANDBOX=none: functions run WITHOUT isolation, with this program's rights and no filter of system calls; "
      "only for "
      "code you trust");
  return std::make_unique<sandbox::PlainLauncher>(
      sandbox::PlainLauncher::Options{.versions = versions_folder(data),
                                      .runners = {.runtimes = runtimes, .native = native_runner_folder()},
                                      .python_packages = config.python_packages,
                                      .temporary = data / "instances"});
}

// What a command's platform is made of.
struct Setting {
  Command command;
  const Config& config;
  const Variables& variables;   // where AWS credentials are looked for
  sandbox::Launcher* launcher;  // null: a fleet's controller
  aws::OpenFile open_secret;
  bool key_is_ours;
  std::string address;
  int bound_socket;
  int landlock;  // which version functions have
  std::string examples;
  const ServiceManager& manager;
  std::shared_ptr<net::TlsPort> tls;  // null: none
  std::optional<DevProfile> profile{};
};

Result<std::unique_ptr<Platform>> open_platform(const Setting& setting, Program& program) {
  if (setting.launcher == nullptr) return std::make_unique<FleetController>(program, setting.variables);
  if (program.config.fleet) return std::make_unique<FleetWorker>(program, setting.variables, *setting.launcher);
  return EmbeddedPlatform::open(program, *setting.launcher);
}

// From the platform's start to its stop; gives the exit status.
int serve_until_stopped(const Setting& setting, DataFolder folder, LeftBehind left, sigset_t signals) {
  const log::InBackground logging;
  const Config& config = setting.config;
  const HostMachine machine = this_machine();
  const int jobs = setting.launcher != nullptr ? max_concurrent_jobs(*setting.launcher, machine) : 0;
  net::EventLoops loops(static_cast<std::size_t>(machine.processors),
                        static_cast<std::size_t>(jobs + kBlockingThreadsBesideJobs));
  std::optional<net::Watchdog> watchdog(std::in_place, loops);
  SystemNetwork network(loops);
  SystemExecutor executor(loops);
  SystemClock clock;
  SystemRandom random;
  Program program{.config = config,
                  .folder = std::move(folder),
                  .network = network,
                  .executor = executor,
                  .clock = clock,
                  .random = random,
                  .machine = machine,
                  .bound_socket = setting.bound_socket,
                  .open_secret = setting.open_secret,
                  .tls = setting.tls};
  auto platform = open_platform(setting, program);
  if (!platform) return give_up(platform.error());
  const auto port = (*platform)->start(setting.address);
  if (!port) return give_up(port.error());

  log::info("listening", {{"address", setting.address},
                          {"port", *port},
                          {"tls", setting.tls != nullptr},
                          {"engines", config.fleet ? "fleet" : "embedded"},
                          {"isolation", config.isolate},
                          {"landlock", setting.landlock}});
  setting.manager.ready(fmt::format("listening on port {}", *port));
  const BackgroundDeletion deletion(std::move(left));
  if (setting.command == Command::dev) {
    const std::string key = setting.key_is_ours ? config.api_key : "<the INFRA_API_KEY that you gave>";
    std::error_code error;
    const std::string authorities =
        setting.tls ? std::filesystem::absolute(config.tls_cert_file, error).string() : std::string();
    const bool known = setting.profile && setting.profile->write(setting.address, *port, config.api_key, authorities);
    fmt::print(stderr, "{}",
               walk_through({.port = *port,
                             .key = key,
                             .program = program_command(),
                             .examples = setting.examples,
                             .command_line_knows = known}));
  }
  int received = 0;
  while (sigwait(&signals, &received) == 0 && received == SIGHUP) reload_tls(config, setting.open_secret, *setting.tls);
  exit_on_second_signal(signals);
  log::info("stopping", {{"signal", received}});
  setting.manager.stopping(config.shutdown_timeout + kEndAfterDeadline);
  (*platform)->shut_down();
  watchdog.reset();  // the event threads end
  platform->reset();
  log::info("stopped");
  return 0;
}

}  // namespace

int run_server(Command command, const ServerOptions& options) {
  ConfigProblems problems;
  std::vector<std::string> warnings;
  const Variables variables = collect_variables(problems, warnings);
  std::ranges::copy(unknown_variables(variables), std::back_inserter(warnings));
  for (const auto& warning : warnings) log::warn(warning);
  auto config = read_config(variables, command);
  if (!config)
    problems.sentences.insert(problems.sentences.end(), config.error().sentences.begin(),
                              config.error().sentences.end());
  if (!problems.sentences.empty()) return give_up(problems.sentences);

  const bool runs_functions = command != Command::serve || !config->fleet;
  const auto runtimes = runtimes_folder();
  if (runs_functions && !runtimes) return give_up(runtimes.error());
  std::error_code error;
  const auto data = std::filesystem::absolute(config->data_dir, error).lexically_normal();
  if (error) return give_up({fmt::format("The current folder can't be used: {}.", error.message())});
  const std::string examples = examples_folder().string();
  const int landlock = config->isolate ? sandbox::landlock_version() : 0;

  const std::string address = listen_address(command, options.address);
  auto tls = open_tls(*config);
  if (!tls) return give_up(tls.error());

  const ServiceManager manager = ServiceManager::connect();
  const sigset_t signals = block_signals(*tls != nullptr);
  raise_descriptor_limit();
  const auto become = whom_to_become(options.user, data);
  if (!become) return give_up(become.error());
  for (const auto& warning : start_warnings(command, *config, address)) log::warn(warning);
  std::optional<DevProfile> profile;
  if (command == Command::dev) profile.emplace(DevProfile::open(options.user, MachineUsers()));
  const auto bound_socket = net::bind_listener(address, config->port);
  if (!bound_socket) return give_up(bound_socket.error());
  const auto made = make_data_folders(data, *become);
  if (!made) return give_up(made.error());
  const auto secrets = secret_files(*config, variables);
  Result<std::optional<sandbox::SpawnerHandle>> spawner;
  if (runs_functions) spawner = isolate(*config, data, *runtimes, secrets);
  if (!spawner) return give_up(spawner.error());
  Result<std::optional<sandbox::SpawnerHandle>> opener;
  if (!*spawner) opener = open_files_for(*become, secrets);
  if (!opener) return give_up(opener.error());
  const auto confined = confine({.become = *become,
                                 .isolate = config->isolate,
                                 .data = made->get(),
                                 .data_path = data,
                                 .folders = openssl_folders(variables)});
  if (!confined) return give_up(confined.error());
  auto folder = DataFolder::open(data);
  if (!folder) return give_up(folder.error());
  auto left = LeftBehind::move_aside(data, {"versions", "staging", "tmp", "instances"});
  if (!left) return give_up(left.error());

  const bool make_key = command == Command::dev && config->api_key.empty();
  if (make_key) {
    SystemRandom random;
    auto key = dev_key(data, random);
    if (!key) return give_up(key.error());
    config->api_key = *key;
  }
  if (!config->fleet && config->secrets_key.empty()) {
    SystemRandom random;
    auto key = kept_secrets_key(data, random);
    if (!key) return give_up(key.error());
    config->secrets_key = *key;
  }
  std::unique_ptr<sandbox::Launcher> launcher;
  aws::OpenFile open_secret = aws::open_plainly;
  if (*spawner) {
    auto isolated = std::make_unique<sandbox::SandboxLauncher>(std::move(**spawner));
    open_secret = open_through(isolated->connection(), secrets);
    launcher = std::move(isolated);
  } else if (runs_functions) {
    launcher = make_plain_launcher(*config, data, *runtimes);
  }
  if (*opener) open_secret = open_through(std::make_shared<sandbox::SpawnerConnection>(std::move(**opener)), secrets);
  make_room_for_descriptors();
  const Setting setting{.command = command,
                        .config = *config,
                        .variables = variables,
                        .launcher = launcher.get(),
                        .open_secret = open_secret,
                        .key_is_ours = make_key,
                        .address = address,
                        .bound_socket = *bound_socket,
                        .landlock = landlock,
                        .examples = examples,
                        .manager = manager,
                        .tls = std::move(*tls),
                        .profile = std::move(profile)};
  return serve_until_stopped(setting, std::move(*folder), std::move(*left), signals);
}

}  // namespace infra
