#include "platform/embedded_machine.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <exception>
#include <stdexcept>
#include <string_view>

#include "adapters/files/data_folder.h"
#include "adapters/files/left_behind.h"
#include "core/at_end.h"
#include "main/config.h"
#include "main/data_folders.h"
#include "main/embedded_platform.h"
#include "main/program.h"
#include "main/worker_host.h"
#include "platform/seeded_random.h"

namespace infra::sim {
namespace {

constexpr std::size_t kThreadsBesideJobs = 8;  // as main/server_command.cc has it
constexpr WorldTime kPatience = std::chrono::minutes(30);
constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;

Config config_for(const EmbeddedOptions& options) {
  Variables variables{{"INFRA_API_KEY", std::string(kApiKey)}, {"INFRA_SANDBOX", "none"}};
  variables.insert_or_assign("INFRA_DATA_DIR", options.data.string());
  for (const auto& [name, value] : options.variables) variables.insert_or_assign(name, value);
  auto config = read_config(variables, Command::serve);
  if (!config) throw std::invalid_argument("a world's configuration: " + config.error().sentences.front());
  return std::move(*config);
}

HostMachine host_for(const EmbeddedOptions& options) {
  return {.name = options.name,
          .processors = options.processors,
          .memory_mb = options.memory_mb,
          .descriptor_limit = 65'536,
          .open_descriptors = [] { return std::size_t{50}; },
          .short_of_memory = [] { return false; },
          .disk = [disk = options.disk](const std::filesystem::path&) -> std::optional<DiskState> {
            if (disk) return disk();
            return DiskState{.bytes = 100 * kGiB, .free_bytes = 90 * kGiB, .files = 5'000'000, .free_files = 4'000'000};
          }};
}

}  // namespace

struct EmbeddedMachine::Incarnation {
  Incarnation(EmbeddedMachine& m, int number)
      : process(m.world_.scheduler().start_process(fmt::format("{} {}", m.options_.name, number))),
        clock(m.world_.scheduler(), process, m.time_),
        executor(m.world_.scheduler(), process, clock),
        random(m.world_.dice().apart("random", process.number)),
        network(m.door_, executor, clock),
        launcher(m.world_.scheduler(), clock, executor, m.functions_,
                 {.versions = versions_folder(m.options_.data),
                  .capacity = m.options_.sandboxes,
                  .takes = m.options_.launch_takes,
                  .fails = m.options_.launch_fails}) {}

  Process& process;
  VirtualClock clock;
  VirtualExecutor executor;
  SeededRandom random;
  VirtualNetwork network;
  MemoryLauncher launcher;
  EmbeddedPlatform* platform = nullptr;  // while it serves
  bool serves = false;
  bool over = false;
  bool asked_to_stop = false;
  Scheduler::WaitId waits_for_stop = 0;
};

EmbeddedMachine::EmbeddedMachine(VirtualWorld& world, const MemoryFunctions& functions, EmbeddedOptions options)
    : world_(world),
      functions_(functions),
      options_(std::move(options)),
      disk_(options_.data, world.dice().apart("disk")) {
  disk_.end_program();  // none has begun
}

EmbeddedMachine::~EmbeddedMachine() {
  crash();
}

bool EmbeddedMachine::runs() const {
  return !programs_.empty() && !programs_.back()->over;
}

bool EmbeddedMachine::serves() const {
  return runs() && programs_.back()->serves;
}

bool EmbeddedMachine::stops() const {
  return runs() && programs_.back()->asked_to_stop;
}

Holdings EmbeddedMachine::holdings() {
  if (!serves() || programs_.back()->platform == nullptr) return {};
  Holdings all = programs_.back()->platform->holdings();
  all.push_back({"requests", door_.server == nullptr ? 0 : door_.server->requests_in_flight()});
  return all;
}

int EmbeddedMachine::sandboxes() const {
  return programs_.empty() ? 0 : programs_.back()->launcher.running();
}

Process* EmbeddedMachine::process() {
  return runs() ? &programs_.back()->process : nullptr;
}

void EmbeddedMachine::boot() {
  if (runs()) throw std::logic_error("the machine's program runs already");
  gave_up_.clear();
  leftovers_.clear();
  programs_.push_back(std::make_unique<Incarnation>(*this, boots() + 1));
  Incarnation& program = *programs_.back();
  stand_still_at_disk_call(0);
  disk_.begin_program(manners_of(program));
  world_.scheduler().start_fiber(program.process, "main", Scheduler::Kind::main,
                                 [this, &program] { run_program(program); });
}

void EmbeddedMachine::run_program(Incarnation& program) {
  try {
    serve(program);
  } catch (const std::exception& error) {
    if (program.process.state != Process::State::ended) gave_up_ = error.what();
  }
  program.serves = false;
  program.over = true;
  disk_.end_program();
  if (program.process.state == Process::State::ended) return;  // lost: crash() goes on
  world_.scheduler().end(program.process);
  note_undestroyed(program.process, 1);  // this fiber itself
}

// Nothing of a program outlives it.
void EmbeddedMachine::note_undestroyed(const Process& process, std::size_t expected) {
  if (world_.scheduler().things_of(process) > expected) leftovers_.emplace_back("something that waits or blocks");
  if (!process.tasks.empty()) leftovers_.emplace_back("a coroutine that was not destroyed");
}

// As main/server_command.cc does it, without what concerns the system alone.
void EmbeddedMachine::serve(Incarnation& incarnation) {
  const auto made = make_data_folders(options_.data, std::nullopt);
  if (!made) throw std::runtime_error(made.error().message);
  auto folder = DataFolder::open(options_.data);
  if (!folder) throw std::runtime_error(folder.error().message);
  auto left = LeftBehind::move_aside(options_.data, {"versions", "staging", "tmp", "instances"});
  if (!left) throw std::runtime_error(left.error().message);
  const std::atomic<bool> to_the_end = false;
  (void)left->delete_all(to_the_end);

  Program program{.config = config_for(options_),
                  .folder = std::move(*folder),
                  .network = incarnation.network,
                  .executor = incarnation.executor,
                  .clock = incarnation.clock,
                  .random = incarnation.random,
                  .machine = host_for(options_)};
  incarnation.process.blocking_threads =
      static_cast<std::size_t>(max_concurrent_jobs(incarnation.launcher, program.machine)) + kThreadsBesideJobs;
  auto platform = EmbeddedPlatform::open(program, incarnation.launcher);
  if (!platform) throw std::runtime_error(platform.error().message);
  if (const auto port = (*platform)->start("0.0.0.0"); !port) throw std::runtime_error(port.error().message);
  incarnation.platform = platform->get();
  const AtEnd goes([&] { incarnation.platform = nullptr; });
  incarnation.serves = true;
  while (!incarnation.asked_to_stop && incarnation.process.state == Process::State::running) {
    world_.scheduler().block(incarnation.process, {.what = "the signal to stop", .words = {}},
                             [&](Scheduler::WaitId id) { incarnation.waits_for_stop = id; });
  }
  if (incarnation.process.state != Process::State::running) return;  // lost: what it holds goes
  (*platform)->shut_down();
  if (incarnation.process.state != Process::State::running) return;
  note_leftovers(incarnation);
}

// Between the end of its work and the end of its threads: what goes on for as long as the program does is cut off
// there, and nothing else may be there to be cut off.
void EmbeddedMachine::note_leftovers(const Incarnation& program) {
  if (program.launcher.running() > 0) leftovers_.push_back(fmt::format("{} sandboxes", program.launcher.running()));
  static constexpr std::array<std::string_view, 6> kStanding{
      "sweep", "quota", "health monitor", "health probe", "watching descriptors", "a simulated runner"};
  for (const std::string& task : program.process.tasks) {
    if (std::ranges::find(kStanding, task) == kStanding.end()) leftovers_.push_back("the task \"" + task + '"');
  }
  for (const Holding& one : program.platform->holdings()) {
    if (one.held > 0 && !one.of_waiting) leftovers_.push_back(fmt::format("{} {}", one.held, one.what));
  }
}

void EmbeddedMachine::stop() {
  if (!runs()) return;
  Incarnation& program = *programs_.back();
  program.asked_to_stop = true;
  world_.scheduler().wake(program.waits_for_stop);
}

void EmbeddedMachine::crash() {
  if (!runs()) return;
  Incarnation& program = *programs_.back();
  disk_.end_program();  // what is under way in the database comes no further
  world_.scheduler().kill(program.process);
  note_undestroyed(program.process, 0);
  program.over = true;  // if it had not begun, nothing has said so
  stand_still_at_disk_call(0);
}

void EmbeddedMachine::cut_power() {
  crash();
  disk_.cut_power();
}

void EmbeddedMachine::stand_still_at_disk_call(std::uint64_t nth) {
  calls_to_stand_still_ = nth;
  stands_still_ = false;
}

DiskManners EmbeddedMachine::manners_of(Incarnation& program) {
  DiskManners manners = in_world(world_.scheduler(), program.process, options_.pace);
  manners.before = [this, &program, usual = std::move(manners.before)](DiskCall call) {
    // Outside of a fiber nothing can stand still: it does at the next call.
    const bool may = calls_to_stand_still_ > 1 || (calls_to_stand_still_ == 1 && Fiber::current() != nullptr);
    if (!may || --calls_to_stand_still_ > 0) return usual(call);
    stands_still_ = true;
    world_.scheduler().block(program.process, {.what = "its loss at a call of the disk", .words = {}});
  };
  return manners;
}

void EmbeddedMachine::look_at_database(const std::function<void(const std::filesystem::path&)>& look) {
  if (runs()) throw std::logic_error("a program runs, and the database is looked at beside it");
  const DiskFaults faults = disk_.faults();
  const auto capacity = disk_.capacity();
  disk_.faults().clear();
  disk_.set_capacity(std::nullopt);
  disk_.begin_program();
  look(options_.data / "infra.db");
  disk_.end_program();
  disk_.faults() = faults;
  disk_.set_capacity(capacity);
}

void EmbeddedMachine::boot_and_wait() {
  boot();
  world_.run_until([this] { return serves() || !runs(); }, kPatience);
  if (!serves()) throw std::runtime_error("the program gave up: " + gave_up_);
}

void EmbeddedMachine::stop_and_wait() {
  stop();
  world_.run_until([this] { return !runs(); }, kPatience);
}

}  // namespace infra::sim
