// A world with one machine that has the whole platform on it, its functions, and a client: what scenario tests stand
// on.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>

#include "platform/client.h"
#include "platform/embedded_machine.h"
#include "support/memory_folder.h"

namespace infra::sim {

class EmbeddedWorld {
 public:
  explicit EmbeddedWorld(std::uint64_t seed, EmbeddedOptions options = {})
      : world_(seed), machine_(world_, functions_, in_folder(std::move(options), folder_.path() / "data")) {}

  [[nodiscard]] VirtualWorld& world() { return world_; }
  [[nodiscard]] MemoryFunctions& functions() { return functions_; }
  [[nodiscard]] EmbeddedMachine& machine() { return machine_; }
  [[nodiscard]] Client& client() { return client_; }

  // Runs what a client does to its end, while the world goes on.
  template <typename T>
  T run(Task<T> task) {
    T result{};
    world_.run([](Task<T> own, T& into) -> Task<void> { into = co_await std::move(own); }(std::move(task), result));
    return result;
  }
  // Uploads a function of that code; gives its id.
  std::string upload(const std::string& code, std::vector<std::pair<std::string, std::string>> settings = {}) {
    return run(client_.upload({.name = code, .code = code, .settings = std::move(settings)})).text("functionId");
  }

 private:
  static EmbeddedOptions in_folder(EmbeddedOptions options, std::filesystem::path data) {
    options.data = std::move(data);
    return options;
  }

  testing::MemoryFolder folder_;
  MemoryFunctions functions_;
  VirtualWorld world_;
  EmbeddedMachine machine_;
  Client client_{world_, machine_.door()};
};

}  // namespace infra::sim
