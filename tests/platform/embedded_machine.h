// One simulated machine with the whole platform on it: the real composition of `infra serve`, in a program that is
// started, stopped and lost as often as a test wants. What it keeps in its data folder outlives it: infra.db on a
// simulated disk, which may forget what was not synced and refuse calls, all else in real files.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/holding.h"
#include "main/env_file.h"
#include "main/host_machine.h"
#include "platform/client.h"
#include "platform/disk/world_disk.h"
#include "platform/memory_function.h"
#include "platform/memory_launcher.h"
#include "platform/virtual_network.h"
#include "platform/virtual_world.h"

namespace infra::sim {

struct EmbeddedOptions {
  std::string name = "machine";
  std::filesystem::path data;
  Variables variables{};  // beside those that every world sets
  int processors = 2;
  int sandboxes = 8;
  std::int64_t memory_mb = 4096;
  std::function<milliseconds()> launch_takes{};
  std::function<std::optional<Error>()> launch_fails{};
  std::function<std::optional<DiskState>()> disk{};  // empty: a large one
  DiskPace pace{};                                   // of the database's calls of its disk
};

class EmbeddedMachine {
 public:
  // All must outlive it.
  EmbeddedMachine(VirtualWorld& world, const MemoryFunctions& functions, EmbeddedOptions options);
  ~EmbeddedMachine();  // the program, if one runs, is lost
  EmbeddedMachine(const EmbeddedMachine&) = delete;
  EmbeddedMachine& operator=(const EmbeddedMachine&) = delete;

  // Starts a program; none may run.
  void boot();
  // As SIGTERM does, from the time on when it serves.
  void stop();
  // The program is gone from one step to the next. What it wrote is there for the next one.
  void crash();
  // The same with the machine's power: of what the database wrote and did not sync some is there, or nothing.
  void cut_power();
  // The program stands still before the nth of its database's calls of the disk from now on, until it is lost; 0: it
  // does not. The next is 1.
  void stand_still_at_disk_call(std::uint64_t nth);
  [[nodiscard]] bool stands_still() const { return stands_still_; }

  [[nodiscard]] bool runs() const;
  [[nodiscard]] bool serves() const;  // it has said that it is ready
  [[nodiscard]] bool stops() const;   // it was asked to, and is not at its end
  // Why the last program ended by itself before it was asked to; empty: it didn't.
  [[nodiscard]] const std::string& gave_up() const { return gave_up_; }
  // Boots, and waits until it serves; throws std::runtime_error if it does not.
  void boot_and_wait();
  void stop_and_wait();

  [[nodiscard]] Door& door() { return door_; }
  [[nodiscard]] SimulatedDisk& disk() { return disk_; }
  // Lets somebody read the database while no program runs, from a disk that refuses nothing meanwhile.
  void look_at_database(const std::function<void(const std::filesystem::path&)>& look);
  [[nodiscard]] MachineTime& time() { return time_; }
  [[nodiscard]] Process* process();   // null: none runs
  [[nodiscard]] Holdings holdings();  // of the program that serves; with the requests at its door
  // What the last program left behind at its end, a line each: none is good.
  [[nodiscard]] const std::vector<std::string>& leftovers() const { return leftovers_; }
  [[nodiscard]] int sandboxes() const;  // of the last program's, that are still there
  [[nodiscard]] int boots() const { return static_cast<int>(programs_.size()); }
  [[nodiscard]] const std::filesystem::path& data() const { return options_.data; }

 private:
  struct Incarnation;
  void run_program(Incarnation& program);
  void serve(Incarnation& program);
  void note_leftovers(const Incarnation& program);
  void note_undestroyed(const Process& process, std::size_t expected);
  [[nodiscard]] DiskManners manners_of(Incarnation& program);

  VirtualWorld& world_;
  const MemoryFunctions& functions_;
  const EmbeddedOptions options_;
  SimulatedDisk disk_;
  std::uint64_t calls_to_stand_still_ = 0;  // 0: not planned
  bool stands_still_ = false;
  Door door_;
  MachineTime time_;
  std::string gave_up_;
  std::vector<std::string> leftovers_;
  std::vector<std::unique_ptr<Incarnation>> programs_;  // all that ever ran: signals may refer to their clocks
};

}  // namespace infra::sim
