// Health of the bucket.
#pragma once

#include <string>

#include "adapters/aws/s3/s3_bucket.h"
#include "ports/health_probe.h"

namespace infra {

class S3Probe final : public HealthProbe {
 public:
  S3Probe(aws::AwsClient& s3, std::string bucket) : bucket_(s3, std::move(bucket)) {}
  [[nodiscard]] std::string name() const override { return "code"; }
  Task<Result<void>> probe() override {
    const auto there = co_await bucket_.head();
    if (!there) co_return fail(there.error());
    co_return Result<void>{};
  }

 private:
  aws::S3Bucket bucket_;
};

}  // namespace infra
