// The configuration store's contract on a real DynamoDB protocol, and what is particular to that engine.
#include "adapters/aws/dynamodb/dynamodb_configuration_store.h"

#include "contract/configuration_store_contract.h"
#include "integration/dynamodb_world.h"

namespace infra {
namespace {

class DynamoDbConfigurationWorld : public DynamoDbWorld {
 public:
  DynamoDbConfigurationStore& configuration() { return store_; }
  const std::string table = peers.make_configuration_table();

 private:
  DynamoDbConfigurationStore store_{dynamodb, table, clock};
};

INSTANTIATE_TYPED_TEST_SUITE_P(DynamoDb, ConfigurationStoreContract, DynamoDbConfigurationWorld);

class DynamoDbConfigurationTest : public DynamoDbTest {
 protected:
  const std::string table_ = world_.peers.make_configuration_table();
  DynamoDbConfigurationStore store_{between_.client(), table_, world_.clock};
  const ConfigurationItem item_{.key = {.partition = "p", .sort = "s"}, .attributes = {{"mark", "1"}}};
};

// Sent again, it would find its own item in the way and say that there is another.
TEST_F(DynamoDbConfigurationTest, AWriteWhoseAnswerIsLostIsNotRepeated) {
  between_.befall("PutItem", {Fault::lose});
  const auto put = world_.run(store_.put_new(item_));
  ASSERT_FALSE(put);
  EXPECT_EQ(put.error().kind, ErrorKind::unavailable);
  EXPECT_EQ(between_.count("PutItem"), 1);
  EXPECT_TRUE(world_.run(store_.get(item_.key)).value());
}

TEST_F(DynamoDbConfigurationTest, ATableThatIsNotThereIsDoneWithout) {
  DynamoDbConfigurationStore store(world_.dynamodb, "no-such-table", world_.clock);
  EXPECT_EQ(world_.run(store.get(item_.key)).error().code, "configuration_absent");
  EXPECT_EQ(world_.run(store.put_new(item_)).error().code, "configuration_absent");
  EXPECT_FALSE(store.exists());
}

}  // namespace
}  // namespace infra
