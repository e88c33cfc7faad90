#include "adapters/aws/dynamodb/dynamodb_probe.h"

#include <utility>

#include "adapters/aws/dynamodb/dynamodb_item.h"

namespace infra {

DynamoDbProbe::DynamoDbProbe(std::string name, aws::AwsClient& dynamodb, std::string table,
                             std::vector<std::string> key)
    : name_(std::move(name)), dynamodb_(dynamodb), table_(std::move(table)), key_(std::move(key)) {}

Task<Result<void>> DynamoDbProbe::probe() {
  boost::json::object key;
  for (const auto& attribute : key_) key[attribute] = aws::text_attribute("-health-");
  const auto answer = co_await dynamodb_.call_json("DynamoDB_20120810.GetItem",
                                                   {{"TableName", table_}, {"Key", std::move(key)}}, aws::Repeat::safe);
  if (!answer) co_return fail(aws::table_error(answer.error(), table_));
  co_return Result<void>{};
}

}  // namespace infra
