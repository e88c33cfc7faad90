// A fleet's controller: `infra serve` on S3, DynamoDB, SQS and Redis. It keeps nothing that another controller would
// miss, so any number of them stand behind a load balancer.
#pragma once

#include <memory>

#include "adapters/embedded/data_folder.h"
#include "main/config.h"
#include "main/platform.h"
#include "net/event_loops.h"
#include "ports/clock.h"
#include "ports/executor.h"

namespace infra {

class FleetController final : public Platform {
 public:
  // Uploads are staged in `folder`. What is referred to must outlive it.
  FleetController(const Config& config, const Variables& variables, DataFolder folder, net::EventLoops& loops,
                  Executor& executor, Clock& clock);
  ~FleetController() override;

  // Starts whether or not the engines answer: health says which do, and requests get 503 until they do.
  Result<std::uint16_t> start(const std::string& address) override;
  void shut_down() override;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace infra
