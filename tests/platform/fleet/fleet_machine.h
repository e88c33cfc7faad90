// One simulated machine of a fleet: the real composition of a controller or a worker, in a program that is started,
// stopped and lost as often as a test wants.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "main/env_file.h"
#include "main/host_machine.h"
#include "platform/fleet/engine_links.h"
#include "platform/fleet/fleet_cloud.h"
#include "platform/memory_function.h"
#include "platform/memory_launcher.h"
#include "platform/virtual_network.h"
#include "platform/virtual_world.h"

namespace infra::sim {

enum class FleetRole : std::uint8_t { controller, worker };

struct FleetMachineOptions {
  FleetRole role = FleetRole::worker;
  std::string name{};
  std::filesystem::path data{};
  Variables variables{};  // beside those that every fleet sets
  int processors = 2;
  int sandboxes = 8;
  std::int64_t memory_mb = 4096;
  std::function<milliseconds()> launch_takes{};
  std::function<std::optional<Error>()> launch_fails{};
};

class FleetMachine {
 public:
  // All must outlive it.
  FleetMachine(VirtualWorld& world, FleetCloud& cloud, const MemoryFunctions& functions, FleetMachineOptions options);
  ~FleetMachine();  // the program, if one runs, is lost
  FleetMachine(const FleetMachine&) = delete;
  FleetMachine& operator=(const FleetMachine&) = delete;

  // Starts a program; none may run.
  void boot();
  // As SIGTERM does, from the time on when it serves.
  void stop();
  // The program is gone from one step to the next; of what it had sent the seed decides what arrives.
  void crash();
  // No engine is reached from here, or they are again; clients reach it all the while.
  void cut_off(bool is_cut_off);

  [[nodiscard]] bool runs() const;
  [[nodiscard]] bool serves() const;  // it has said that it is ready
  [[nodiscard]] bool stops() const;   // it was asked to, and is not at its end
  [[nodiscard]] bool is_cut_off() const { return reach_.is_cut_off; }
  // Why the last program ended by itself before it was asked to; empty: it didn't.
  [[nodiscard]] const std::string& gave_up() const { return gave_up_; }
  // Boots, and waits until it serves; throws std::runtime_error if it does not.
  void boot_and_wait();
  void stop_and_wait();

  [[nodiscard]] const std::string& name() const { return options_.name; }
  [[nodiscard]] FleetRole role() const { return options_.role; }
  [[nodiscard]] Door& door() { return door_; }
  [[nodiscard]] MachineTime& time() { return time_; }
  [[nodiscard]] Process* process();     // null: none runs
  [[nodiscard]] int sandboxes() const;  // of the last program's, that are still there
  [[nodiscard]] int boots() const { return static_cast<int>(programs_.size()); }

 private:
  struct Incarnation;
  void run_program(Incarnation& program);
  void serve(Incarnation& program);

  VirtualWorld& world_;
  FleetCloud& cloud_;
  const MemoryFunctions& functions_;
  const FleetMachineOptions options_;
  Door door_;
  MachineTime time_;
  Reach reach_;
  std::string gave_up_;
  std::vector<std::unique_ptr<Incarnation>> programs_;  // all that ever ran: signals may refer to their clocks
};

}  // namespace infra::sim
