// A world with a whole fleet: controllers, workers, the engines that they share, and clients of any controller.
#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "platform/client.h"
#include "platform/fleet/fleet_cloud.h"
#include "platform/fleet/fleet_machine.h"
#include "support/memory_folder.h"

namespace infra::sim {

struct FleetOptions {
  std::size_t controllers = 2;
  std::size_t workers = 2;
  FleetMachineOptions machine{};  // of each; name, role and folder are its own
  testing::SimulatedRedisOptions redis{};
  std::function<void(const std::string&)> complain{};  // of requests that are not simulated
};

class FleetWorld {
 public:
  explicit FleetWorld(std::uint64_t seed, FleetOptions options = {})
      : world_(seed), cloud_(world_, options.redis, options.complain) {
    const auto add = [&](FleetRole role, const std::string& name) {
      FleetMachineOptions own = options.machine;
      own.role = role;
      own.name = name;
      own.data = folder_.path() / name;
      functions_.push_back(std::make_unique<MemoryFunctions>());
      machines_.push_back(std::make_unique<FleetMachine>(world_, cloud_, *functions_.back(), std::move(own)));
    };
    for (std::size_t i = 0; i < options.controllers; ++i) {
      add(FleetRole::controller, fmt::format("controller{}", i));
      clients_.emplace_back(world_, machines_.back()->door());
    }
    for (std::size_t i = 0; i < options.workers; ++i) add(FleetRole::worker, fmt::format("worker{}", i));
  }

  [[nodiscard]] VirtualWorld& world() { return world_; }
  [[nodiscard]] FleetCloud& cloud() { return cloud_; }
  // Controllers first, then workers.
  [[nodiscard]] std::vector<std::unique_ptr<FleetMachine>>& machines() { return machines_; }
  [[nodiscard]] std::size_t controllers() const { return clients_.size(); }
  [[nodiscard]] std::size_t workers() const { return machines_.size() - clients_.size(); }
  [[nodiscard]] FleetMachine& controller(std::size_t i = 0) { return *machines_.at(i); }
  [[nodiscard]] FleetMachine& worker(std::size_t i = 0) { return *machines_.at(controllers() + i); }
  [[nodiscard]] Client& client(std::size_t i = 0) { return clients_.at(i); }
  // What functions do where they run on that worker.
  [[nodiscard]] MemoryFunctions& functions_of_worker(std::size_t i) { return *functions_.at(controllers() + i); }
  void add_function(const std::string& name, const FunctionCode& code) {
    for (const auto& functions : functions_) functions->add(name, code);
  }

  void boot_and_wait() {
    for (const auto& machine : machines_) machine->boot_and_wait();
  }
  void stop_and_wait() {
    for (const auto& machine : machines_) machine->stop_and_wait();
  }

  // Runs what a client does to its end, while the world goes on.
  template <typename T>
  T run(Task<T> task) {
    T result{};
    world_.run([](Task<T> own, T& into) -> Task<void> { into = co_await std::move(own); }(std::move(task), result));
    return result;
  }
  // Uploads a function of that code; gives its id.
  std::string upload(const std::string& code, std::vector<std::pair<std::string, std::string>> settings = {}) {
    return run(clients_.front().upload({.name = code, .code = code, .settings = std::move(settings)}))
        .text("functionId");
  }

 private:
  testing::MemoryFolder folder_;
  VirtualWorld world_;
  FleetCloud cloud_;
  std::vector<std::unique_ptr<MemoryFunctions>> functions_;  // a machine's
  std::vector<std::unique_ptr<FleetMachine>> machines_;
  std::vector<Client> clients_;  // a controller's
};

}  // namespace infra::sim
