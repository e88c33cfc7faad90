// The whole platform on one machine, wired: engines, use cases, HTTP interface and the worker inside. Everything that a
// component needs is handed to it here and nowhere else.
#pragma once

#include <filesystem>
#include <memory>

#include "adapters/embedded/data_folder.h"
#include "core/error.h"
#include "main/config.h"
#include "net/event_loops.h"
#include "ports/clock.h"
#include "ports/executor.h"
#include "worker/sandbox/launcher.h"

namespace infra {

// Jobs at once, at most: what the event loops' blocking pool must have threads for.
[[nodiscard]] int max_concurrent_jobs(const worker::Launcher& launcher);

// Where unpacked bundles are, which the launcher mounts.
[[nodiscard]] inline std::filesystem::path versions_folder(const std::filesystem::path& data) {
  return data / "versions";
}

class EmbeddedPlatform {
 public:
  // Opens the engines in `folder`. What is referred to must outlive the platform. The error is a sentence for the
  // operator.
  static Result<std::unique_ptr<EmbeddedPlatform>> open(const Config& config, DataFolder folder,
                                                        worker::Launcher& launcher, net::EventLoops& loops,
                                                        Executor& executor, Clock& clock);
  ~EmbeddedPlatform();

  // Listens on `address` and starts to work; gives the port.
  Result<std::uint16_t> start(const std::string& address);

  // Stops gracefully within the configured time: new connections are refused, requests in flight are answered, what
  // can't be finished is settled or given back.
  void shut_down();

 private:
  struct Parts;
  explicit EmbeddedPlatform(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace infra
