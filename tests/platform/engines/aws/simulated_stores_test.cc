// The contracts of function store, log store, run recorder and configuration store on the simulated DynamoDB.
#include "adapters/aws/dynamodb/dynamodb_configuration_store.h"
#include "adapters/aws/dynamodb/dynamodb_function_store.h"
#include "adapters/aws/dynamodb/dynamodb_item.h"
#include "adapters/aws/dynamodb/dynamodb_log_store.h"
#include "adapters/aws/dynamodb/dynamodb_probe.h"
#include "adapters/aws/dynamodb/dynamodb_run_recorder.h"
#include "contract/configuration_store_contract.h"
#include "contract/function_store_contract.h"
#include "contract/log_store_contract.h"
#include "contract/run_recorder_contract.h"
#include "platform/engines/aws/contract_world.h"

namespace infra {
namespace {

class SimulatedDynamoDbWorld : public simulation::SimulatedAwsWorld {
 public:
  SimulatedDynamoDbWorld() {
    aws.dynamodb().make_table("functions", simulation::SimulatedDynamoDb::functions_table());
    auto logs = simulation::SimulatedDynamoDb::logs_table();
    logs.ttl = "";  // DynamoDB's clock is ahead of the store's here, and deletes nothing early
    aws.dynamodb().make_table("logs", logs);
    aws.dynamodb().make_table("configuration", {.hash = "pk", .range = "sk"});
    loops.spawn("test", functions_.refresh());
  }
  ~SimulatedDynamoDbWorld() override { loops.stop(); }

  DynamoDbFunctionStore& functions() { return functions_; }
  DynamoDbLogStore& logs() { return logs_; }
  DynamoDbRunRecorder& recorder() { return recorder_; }
  DynamoDbConfigurationStore& configuration() { return configuration_; }

 private:
  DynamoDbFunctionStore functions_{dynamodb, "functions", service_clock, {}};
  DynamoDbLogStore logs_{dynamodb, "logs", clock};
  DynamoDbRunRecorder recorder_{dynamodb, {.functions = "functions", .logs = "logs"}, random};
  DynamoDbConfigurationStore configuration_{dynamodb, "configuration", clock};
};

INSTANTIATE_TYPED_TEST_SUITE_P(SimulatedDynamoDb, ConfigurationStoreContract, SimulatedDynamoDbWorld);
INSTANTIATE_TYPED_TEST_SUITE_P(SimulatedDynamoDb, FunctionStoreContract, SimulatedDynamoDbWorld);
INSTANTIATE_TYPED_TEST_SUITE_P(SimulatedDynamoDb, LogStoreContract, SimulatedDynamoDbWorld);
INSTANTIATE_TYPED_TEST_SUITE_P(SimulatedDynamoDb, RunRecorderContract, SimulatedDynamoDbWorld);

// Without the background, which would draw from the seed as its thread comes to it.
class SimulatedStoresTest : public ::testing::Test {
 protected:
  SimulatedStoresTest() {
    world_.aws.dynamodb().make_table("functions", simulation::SimulatedDynamoDb::functions_table());
    world_.aws.dynamodb().make_table("logs", simulation::SimulatedDynamoDb::logs_table());
  }
  ~SimulatedStoresTest() override { world_.loops.stop(); }

  simulation::SimulatedAwsWorld world_;
  DynamoDbFunctionStore functions_{world_.dynamodb, "functions", world_.clock, {}};
  DynamoDbLogStore logs_{world_.dynamodb, "logs", world_.clock};
  DynamoDbRunRecorder recorder_{world_.dynamodb, {.functions = "functions", .logs = "logs"}, world_.random};
};

TEST_F(SimulatedStoresTest, AListingIsWholeInPagesOfAnySize) {
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(world_.run(functions_.insert(make_function(fmt::format("f{:02}", i), world_.now()))));
    const LogRow row = make_log(fmt::format("r{:02}", i), world_.now(), world_.now() + limits::kLogTtl);
    ASSERT_TRUE(world_.run(recorder_.record(row)).value());
  }
  for (const std::size_t bytes : {1U, 700U, 5000U}) {
    world_.aws.dynamodb().set_page_bytes(bytes);
    functions_.all_changed();
    EXPECT_EQ(world_.run(functions_.list(100, ""))->functions.size(), 20U) << bytes;
    const auto logs = world_.run(logs_.list({.function_id = {"f"}, .limit = 20, .start = {}, .cursor = {}}));
    ASSERT_TRUE(logs);
    EXPECT_EQ(logs->rows.size(), 20U) << bytes;
  }
}

TEST_F(SimulatedStoresTest, AConfigurationWithoutATableIsAbsentUntilThereIsOne) {
  DynamoDbConfigurationStore store(world_.dynamodb, "InfraConfiguration", world_.clock);
  ConfigurationProbe probe(store);
  EXPECT_TRUE(store.exists()) << "nobody has asked yet";
  EXPECT_TRUE(world_.run(probe.probe())) << "a fleet does without";
  EXPECT_FALSE(store.exists());
  const ConfigurationItem item{.key = {.partition = "p", .sort = "s"}, .attributes = {{"a", "1"}}};
  EXPECT_EQ(world_.run(store.get(item.key)).error().code, "configuration_absent");
  EXPECT_EQ(world_.run(store.put_new(item)).error().code, "configuration_absent");
  EXPECT_EQ(world_.run(store.query("p", "", 10)).error().code, "configuration_absent");
  world_.aws.dynamodb().make_table("InfraConfiguration", {.hash = "pk", .range = "sk"});
  EXPECT_TRUE(world_.run(probe.probe()));
  EXPECT_TRUE(store.exists());
  EXPECT_TRUE(world_.run(store.put_new(item)));
  EXPECT_EQ(world_.run(store.get(item.key)).value(), item);
}

TEST_F(SimulatedStoresTest, ACallFindsOutThatThereIsNoConfiguration) {
  DynamoDbConfigurationStore store(world_.dynamodb, "no-such-table", world_.clock);
  EXPECT_EQ(world_.run(store.get({.partition = "p", .sort = "s"})).error().code, "configuration_absent");
  EXPECT_FALSE(store.exists());
}

TEST_F(SimulatedStoresTest, ATableThatIsNotThereIsNoMissingFunction) {
  DynamoDbFunctionStore store(world_.dynamodb, "no-such-table", world_.clock, {});
  EXPECT_EQ(world_.run(store.find({"f"})).error().code, "table_missing");
  DynamoDbProbe good("logs", world_.dynamodb, "logs", {"functionId", "timestamp"});
  EXPECT_TRUE(world_.run(good.probe()));
}

}  // namespace
}  // namespace infra
