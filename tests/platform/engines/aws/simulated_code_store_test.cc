// The code store's contract on the simulated S3, and its bucket's rules.
#include "adapters/aws/s3/s3_code_store.h"
#include "adapters/aws/s3/s3_probe.h"
#include "contract/code_store_contract.h"
#include "platform/engines/aws/contract_world.h"

namespace infra {
namespace {

namespace fs = std::filesystem;

class OnSimulatedS3 : public simulation::SimulatedAwsWorld {
 public:
  explicit OnSimulatedS3(fs::path folder) : cache_(std::move(folder)) { aws.s3().make_bucket("code"); }
  ~OnSimulatedS3() override { loops.stop(); }
  CodeStore& store() { return store_; }

 private:
  const fs::path cache_;
  S3CodeStore store_{s3, "code", {.folder = cache_}, executor, clock};
};

}  // namespace

namespace testing {
INSTANTIATE_TYPED_TEST_SUITE_P(SimulatedS3, CodeStoreContract, OnSimulatedS3);
}

namespace {

using testing::write_text;

class SimulatedCodeStoreTest : public ::testing::Test {
 protected:
  ~SimulatedCodeStoreTest() override { world_.loops.stop(); }
  testing::TempFolder folder_;
  OnSimulatedS3 world_{folder_.path() / "cache"};
};

TEST_F(SimulatedCodeStoreTest, ARetiredBundleGoesWhenItsRuleSaysSo) {
  const CodeRef code{"functions/f/1.zip", testing::kShaOfBundle};
  ASSERT_TRUE(world_.run(world_.store().put_bundle(code, write_text(folder_.path() / "staged", "bundle"))));
  world_.service_clock.advance(std::chrono::days{20});
  ASSERT_TRUE(world_.run(world_.store().retire_bundle(code)));
  EXPECT_EQ(world_.aws.s3().objects("code").at(code.key).tag, "infra=retired");
  world_.service_clock.advance(std::chrono::days{14});
  EXPECT_EQ(world_.aws.s3().objects("code").size(), 1U);
  world_.service_clock.advance(std::chrono::days{1});
  EXPECT_EQ(world_.aws.s3().objects("code").size(), 0U);
  EXPECT_EQ(world_.run(world_.store().fetch_bundle(code)).error().kind, ErrorKind::not_found);
}

TEST_F(SimulatedCodeStoreTest, ABucketThatIsNotThereIsSaid) {
  S3Probe bad(world_.s3, "no-such-bucket");
  EXPECT_FALSE(world_.run(bad.probe()));
  S3Probe good(world_.s3, "code");
  EXPECT_TRUE(world_.run(good.probe()));
  aws::AwsClient in_host({.name = "s3",
                          .region = std::string(simulation::SimulatedAws::kRegion),
                          .endpoint = "https://code.s3.eu-central-1.amazonaws.com"},
                         world_.http, world_.credentials, world_.service_clock, world_.random);
  S3Probe hosted(in_host, "code");
  EXPECT_TRUE(world_.run(hosted.probe()));
}

}  // namespace
}  // namespace infra
