// A fleet's controller: `infra serve` on S3, DynamoDB, SQS and Redis. It keeps nothing that another controller would
// miss, so any number of them stand behind a load balancer.
#pragma once

#include <memory>

#include "main/platform.h"
#include "main/program.h"

namespace infra {

class FleetController final : public Platform {
 public:
  // Uploads are staged in the program's folder. Referenced objects must outlive it.
  FleetController(Program& program, const Variables& variables);
  ~FleetController() override;

  // Starts whether or not the engines answer: health says which do, and requests get 503 until they do.
  Result<std::uint16_t> start(const std::string& address) override;
  void shut_down() override;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace infra
