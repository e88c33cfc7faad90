// A fleet's worker: `infra worker`. It takes jobs from SQS, no more than it has free slots for, settles them, and tells
// Redis and its controller that it lives.
#pragma once

#include <memory>

#include "adapters/embedded/data_folder.h"
#include "main/config.h"
#include "main/platform.h"
#include "net/event_loops.h"
#include "ports/clock.h"
#include "ports/executor.h"
#include "worker/sandbox/launcher.h"

namespace infra {

class FleetWorker final : public Platform {
 public:
  // Bundles and their unpacked versions are kept in `folder`. What is referred to must outlive it.
  FleetWorker(const Config& config, const Variables& variables, DataFolder folder, worker::Launcher& launcher,
              net::EventLoops& loops, Executor& executor, Clock& clock);
  ~FleetWorker() override;

  // Its own health and metrics. Starts whether or not the engines answer, and works as soon as they do.
  Result<std::uint16_t> start(const std::string& address) override;
  // Takes nothing more; what can't be finished in time is given back to the queue.
  void shut_down() override;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace infra
