// A fleet's worker: `infra worker`. It takes jobs from SQS, no more than it has free slots for, settles them, and tells
// Redis and its controller that it lives.
#pragma once

#include <memory>

#include "main/platform.h"
#include "main/program.h"
#include "sandbox/launcher.h"

namespace infra {

class FleetWorker final : public Platform {
 public:
  // Bundles and their unpacked versions are kept in the program's folder. Referenced objects must outlive it.
  FleetWorker(Program& program, const Variables& variables, sandbox::Launcher& launcher);
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
