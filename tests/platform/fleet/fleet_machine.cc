#include "platform/fleet/fleet_machine.h"

#include <fmt/format.h>

#include <atomic>
#include <exception>
#include <stdexcept>

#include "adapters/files/data_folder.h"
#include "adapters/files/left_behind.h"
#include "main/config.h"
#include "main/data_folders.h"
#include "main/fleet_controller.h"
#include "main/fleet_worker.h"
#include "main/program.h"
#include "main/worker_host.h"
#include "platform/client.h"
#include "platform/seeded_random.h"

namespace infra::sim {
namespace {

constexpr std::size_t kThreadsBesideJobs = 8;  // as main/server_command.cc has it
constexpr WorldTime kPatience = std::chrono::minutes(30);
constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;

Config config_for(const FleetMachineOptions& options, Variables variables) {
  const Command command = options.role == FleetRole::controller ? Command::serve : Command::worker;
  auto config = read_config(variables, command);
  if (!config) throw std::invalid_argument("a fleet's configuration: " + config.error().sentences.front());
  return std::move(*config);
}

HostMachine host_for(const FleetMachineOptions& options) {
  return {.name = options.name,
          .processors = options.processors,
          .memory_mb = options.memory_mb,
          .descriptor_limit = 65'536,
          .open_descriptors = [] { return std::size_t{50}; },
          .short_of_memory = [] { return false; },
          .disk = [](const std::filesystem::path&) -> std::optional<DiskState> {
            return DiskState{.bytes = 100 * kGiB, .free_bytes = 90 * kGiB, .files = 5'000'000, .free_files = 4'000'000};
          }};
}

}  // namespace

struct FleetMachine::Incarnation {
  Incarnation(FleetMachine& m, int number)
      : process(m.world_.scheduler().start_process(fmt::format("{} {}", m.options_.name, number))),
        clock(m.world_.scheduler(), process, m.time_),
        executor(m.world_.scheduler(), process, clock),
        random(m.world_.dice().apart("random", process.number)),
        links(m.cloud_.aws(), m.cloud_.redis(), clock, executor, m.reach_),
        network(m.door_, executor, clock, links.engines()),
        launcher(m.world_.scheduler(), clock, executor, m.functions_,
                 {.versions = versions_folder(m.options_.data),
                  .capacity = m.options_.sandboxes,
                  .takes = m.options_.launch_takes,
                  .fails = m.options_.launch_fails}) {}

  Process& process;
  VirtualClock clock;
  VirtualExecutor executor;
  SeededRandom random;
  EngineLinks links;
  VirtualNetwork network;
  MemoryLauncher launcher;
  bool serves = false;
  bool over = false;
  bool asked_to_stop = false;
  Scheduler::WaitId waits_for_stop = 0;
};

FleetMachine::FleetMachine(VirtualWorld& world, FleetCloud& cloud, const MemoryFunctions& functions,
                           FleetMachineOptions options)
    : world_(world), cloud_(cloud), functions_(functions), options_(std::move(options)) {}

FleetMachine::~FleetMachine() {
  crash();
}

bool FleetMachine::runs() const {
  return !programs_.empty() && !programs_.back()->over;
}

bool FleetMachine::serves() const {
  return runs() && programs_.back()->serves;
}

bool FleetMachine::stops() const {
  return runs() && programs_.back()->asked_to_stop;
}

int FleetMachine::sandboxes() const {
  return programs_.empty() ? 0 : programs_.back()->launcher.running();
}

Process* FleetMachine::process() {
  return runs() ? &programs_.back()->process : nullptr;
}

void FleetMachine::boot() {
  if (runs()) throw std::logic_error("the machine's program runs already");
  gave_up_.clear();
  programs_.push_back(std::make_unique<Incarnation>(*this, boots() + 1));
  Incarnation& program = *programs_.back();
  world_.scheduler().start_fiber(program.process, "main", Scheduler::Kind::main,
                                 [this, &program] { run_program(program); });
}

void FleetMachine::run_program(Incarnation& program) {
  try {
    serve(program);
  } catch (const std::exception& error) {
    if (program.process.state != Process::State::ended) gave_up_ = error.what();
  }
  program.serves = false;
  program.over = true;
  if (program.process.state != Process::State::ended) world_.scheduler().end(program.process);
}

// As main/server_command.cc does it, without what concerns the system alone.
void FleetMachine::serve(Incarnation& incarnation) {
  const auto made = make_data_folders(options_.data, std::nullopt);
  if (!made) throw std::runtime_error(made.error().message);
  auto folder = DataFolder::open(options_.data);
  if (!folder) throw std::runtime_error(folder.error().message);
  auto left = LeftBehind::move_aside(options_.data, {"versions", "staging", "tmp", "instances"});
  if (!left) throw std::runtime_error(left.error().message);
  const std::atomic<bool> to_the_end = false;
  (void)left->delete_all(to_the_end);

  Variables variables = cloud_.variables();
  variables.insert_or_assign("INFRA_API_KEY", std::string(kApiKey));
  variables.insert_or_assign("INFRA_SANDBOX", "none");
  variables.insert_or_assign("INFRA_DATA_DIR", options_.data.string());
  for (const auto& [name, value] : options_.variables) variables.insert_or_assign(name, value);
  Program program{.config = config_for(options_, variables),
                  .folder = std::move(*folder),
                  .network = incarnation.network,
                  .executor = incarnation.executor,
                  .clock = incarnation.clock,
                  .random = incarnation.random,
                  .machine = host_for(options_)};
  const bool works = options_.role == FleetRole::worker;
  const auto jobs = works ? max_concurrent_jobs(incarnation.launcher, program.machine) : 0;
  incarnation.process.blocking_threads = static_cast<std::size_t>(jobs) + kThreadsBesideJobs;
  std::unique_ptr<Platform> platform;
  if (works) {
    platform = std::make_unique<FleetWorker>(program, variables, incarnation.launcher);
  } else {
    platform = std::make_unique<FleetController>(program, variables);
  }
  if (const auto port = platform->start("0.0.0.0"); !port) throw std::runtime_error(port.error().message);
  incarnation.serves = true;
  while (!incarnation.asked_to_stop && incarnation.process.state == Process::State::running) {
    world_.scheduler().block(incarnation.process, {.what = "the signal to stop", .words = {}},
                             [&](Scheduler::WaitId id) { incarnation.waits_for_stop = id; });
  }
  if (incarnation.process.state != Process::State::running) return;  // lost: what it holds goes
  platform->shut_down();
}

void FleetMachine::stop() {
  if (!runs()) return;
  Incarnation& program = *programs_.back();
  program.asked_to_stop = true;
  world_.scheduler().wake(program.waits_for_stop);
}

void FleetMachine::crash() {
  if (!runs()) return;
  Incarnation& program = *programs_.back();
  program.links.crash();
  world_.scheduler().kill(program.process);
  program.over = true;  // if it had not begun, nothing has said so
}

void FleetMachine::cut_off(bool is_cut_off) {
  reach_.is_cut_off = is_cut_off;
  if (runs()) programs_.back()->links.reach_changed();
}

void FleetMachine::boot_and_wait() {
  boot();
  world_.run_until([this] { return serves() || !runs(); }, kPatience);
  if (!serves()) throw std::runtime_error("the program gave up: " + gave_up_);
}

void FleetMachine::stop_and_wait() {
  stop();
  world_.run_until([this] { return !runs(); }, kPatience);
}

}  // namespace infra::sim
