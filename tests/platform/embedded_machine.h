// One simulated machine with the whole platform on it: the real composition of `infra serve`, in a program that is
// started, stopped and lost as often as a test wants. What it keeps in its data folder outlives it.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "main/env_file.h"
#include "main/host_machine.h"
#include "platform/client.h"
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
  // The program is gone from one step to the next.
  void crash();

  [[nodiscard]] bool runs() const;
  [[nodiscard]] bool serves() const;  // it has said that it is ready
  [[nodiscard]] bool stops() const;   // it was asked to, and is not at its end
  // Why the last program ended by itself before it was asked to; empty: it didn't.
  [[nodiscard]] const std::string& gave_up() const { return gave_up_; }
  // Boots, and waits until it serves; throws std::runtime_error if it does not.
  void boot_and_wait();
  void stop_and_wait();

  [[nodiscard]] Door& door() { return door_; }
  [[nodiscard]] MachineTime& time() { return time_; }
  [[nodiscard]] Process* process();     // null: none runs
  [[nodiscard]] int sandboxes() const;  // of the last program's, that are still there
  [[nodiscard]] int boots() const { return static_cast<int>(programs_.size()); }
  [[nodiscard]] const std::filesystem::path& data() const { return options_.data; }

 private:
  struct Incarnation;
  void run_program(Incarnation& program);
  void serve(Incarnation& program);

  VirtualWorld& world_;
  const MemoryFunctions& functions_;
  const EmbeddedOptions options_;
  Door door_;
  MachineTime time_;
  std::string gave_up_;
  std::vector<std::unique_ptr<Incarnation>> programs_;  // all that ever ran: signals may refer to their clocks
};

}  // namespace infra::sim
