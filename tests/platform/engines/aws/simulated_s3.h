// S3 by its REST protocol: buckets, objects whole and in parts, ranges and conditions, tags and the lifecycle rules of
// docs/aws.md. What was answered is seen by every later request. An object is seen whole or not at all; what goes into
// it is checked against x-amz-content-sha256. ETags are as for encrypted objects: the same for the same bytes, and no
// MD5. No listings, no versions.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "platform/engines/aws/aws_context.h"
#include "platform/engines/aws/simulated_service.h"

namespace infra::simulation {

// What has the prefix and the tag goes so long after it was written.
struct LifecycleRule {
  std::string prefix{};
  std::string tag{};
  std::chrono::hours age{};
};

struct S3Object {
  std::shared_ptr<const std::string> bytes;
  std::string etag;
  std::string tag{};  // "name=value"
  WallTime written{};
};

class SimulatedS3 final : public SimulatedService {
 public:
  explicit SimulatedS3(AwsContext& aws) : aws_(aws) {}

  void make_bucket(const std::string& name, std::vector<LifecycleRule> rules = rules_of_the_docs());
  [[nodiscard]] static std::vector<LifecycleRule> rules_of_the_docs();
  // By key. Throws std::out_of_range.
  [[nodiscard]] std::map<std::string, S3Object> objects(const std::string& bucket);
  [[nodiscard]] std::size_t unfinished_uploads(const std::string& bucket);

  [[nodiscard]] const ConnectionFaults& faults() const override { return aws_.faults.s3; }
  [[nodiscard]] net::Response answer(const ServiceRequest& request) override;
  [[nodiscard]] net::Response refusal(const Refusal& refusal) const override;
  [[nodiscard]] Refusal too_many_requests() const override;
  [[nodiscard]] Refusal failure() const override;
  [[nodiscard]] std::optional<Refusal> refuse_date(milliseconds ahead) const override;

 private:
  struct Part {
    std::shared_ptr<const std::string> bytes;
    std::string etag;
  };
  struct Upload {
    std::string key;
    WallTime begun{};
    std::map<int, Part> parts{};
  };
  struct Bucket {
    std::vector<LifecycleRule> rules;
    std::map<std::string, S3Object> objects{};
    std::map<std::string, Upload> uploads{};  // by id
  };
  using Answer = Answered<net::Response>;

  [[nodiscard]] Answer carry_out(const ServiceRequest& request);
  [[nodiscard]] Answer on_object(Bucket& bucket, const std::string& key, const ServiceRequest& request);
  [[nodiscard]] Answer get(const Bucket& bucket, const std::string& key, const ServiceRequest& request) const;
  [[nodiscard]] Answer put(Bucket& bucket, const std::string& key, const ServiceRequest& request);
  [[nodiscard]] Answer copy(Bucket& bucket, const std::string& key, const ServiceRequest& request);
  // simulated_s3_upload.cc
  [[nodiscard]] Answer begin_upload(Bucket& bucket, const std::string& key);
  [[nodiscard]] Answer put_part(Bucket& bucket, const std::string& key, const ServiceRequest& request);
  [[nodiscard]] Answer complete_upload(Bucket& bucket, const std::string& key, const ServiceRequest& request);
  [[nodiscard]] Answer abort_upload(Bucket& bucket, const std::string& key, const ServiceRequest& request);
  [[nodiscard]] Answered<std::map<std::string, Upload>::iterator> find_upload(Bucket& bucket, const std::string& key,
                                                                              const ServiceRequest& request);
  void expire(Bucket& bucket) const;
  [[nodiscard]] bool breaks_its_200();

  AwsContext& aws_;
  std::map<std::string, Bucket, std::less<>> buckets_;
};

[[nodiscard]] std::string s3_etag_of(const ServiceRequest& request);
[[nodiscard]] net::Response s3_answer(int status, std::string body = "");
// 200, and in its body that it failed.
[[nodiscard]] net::Response s3_broken_200();

}  // namespace infra::simulation
