// DynamoDB by its JSON protocol: conditional writes that are atomic for an item, reads consistent or not, queries and
// scans in pages, and rows that go some time after they have expired. No indexes, no transactions.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "platform/engines/aws/aws_context.h"
#include "platform/engines/aws/dynamodb_table.h"
#include "platform/engines/aws/simulated_service.h"

namespace infra::simulation {

class SimulatedDynamoDb final : public SimulatedService {
 public:
  explicit SimulatedDynamoDb(AwsContext& aws) : aws_(aws) {}

  void make_table(const std::string& name, TableOptions options);
  [[nodiscard]] static TableOptions functions_table();
  [[nodiscard]] static TableOptions logs_table();
  // As they are, in the order of a scan. Throws std::out_of_range.
  [[nodiscard]] std::vector<DynamoDbItem> items(const std::string& table);
  // Of a page; less than DynamoDB's megabyte makes more pages.
  void set_page_bytes(std::size_t bytes) { page_bytes_ = bytes; }

  [[nodiscard]] const ConnectionFaults& faults() const override { return aws_.faults.dynamodb; }
  [[nodiscard]] net::Response answer(const ServiceRequest& request) override;
  [[nodiscard]] net::Response refusal(const Refusal& refusal) const override;
  [[nodiscard]] Refusal too_many_requests() const override;
  [[nodiscard]] Refusal failure() const override;
  [[nodiscard]] std::optional<Refusal> refuse_date(milliseconds ahead) const override;

 private:
  using Fields = boost::json::object;
  struct Page;
  [[nodiscard]] Answered<Fields> carry_out(const ServiceRequest& request);
  [[nodiscard]] Answered<Fields> put_item(DynamoDbTable& table, const Fields& fields);
  [[nodiscard]] Answered<Fields> get_item(DynamoDbTable& table, const Fields& fields);
  [[nodiscard]] Answered<Fields> update_item(DynamoDbTable& table, const Fields& fields);
  [[nodiscard]] Answered<Fields> delete_item(DynamoDbTable& table, const Fields& fields);
  [[nodiscard]] Answered<Fields> query(DynamoDbTable& table, const Fields& fields);
  [[nodiscard]] Answered<Fields> scan(DynamoDbTable& table, const Fields& fields);
  [[nodiscard]] Answered<Fields> batch_get(const Fields& fields);
  // Where the row stands that the request's key or item names, once its condition holds of it.
  [[nodiscard]] Answered<DynamoDbKey> admitted(DynamoDbTable& table, const Fields& fields, std::string_view member,
                                               DynamoDbExpressions& expressions);
  [[nodiscard]] Answered<bool> take(Page& page, const DynamoDbKey& key, const DynamoDbItem& item) const;
  [[nodiscard]] Fields told(Page page, const DynamoDbTable& table) const;
  [[nodiscard]] DynamoDbTable* table_of(const Fields& fields);
  void check_members(std::string_view action, const Fields& fields) const;

  AwsContext& aws_;
  std::map<std::string, DynamoDbTable> tables_;
  std::size_t page_bytes_ = 1024 * 1024;
};

}  // namespace infra::simulation
