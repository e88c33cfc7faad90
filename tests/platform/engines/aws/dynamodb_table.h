// One table's rows: as they are, as they were a moment ago for reads that need not be consistent, and until they have
// expired.
#pragma once

#include <compare>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "platform/engines/aws/aws_context.h"
#include "platform/engines/aws/dynamodb_expression.h"

namespace infra::simulation {

struct TableOptions {
  std::string hash = "functionId";
  std::string range{};  // empty: none
  std::string ttl{};    // the attribute with the second of a row's end; empty: none
};

// In the order of a scan: partitions by a hash, their rows by the range key.
struct DynamoDbKey {
  std::uint64_t token = 0;
  std::string hash{};
  std::string range{};
  auto operator<=>(const DynamoDbKey&) const = default;
};

class DynamoDbTable {
 public:
  DynamoDbTable(AwsContext& aws, TableOptions options) : aws_(aws), options_(std::move(options)) {}

  struct Row {
    std::optional<DynamoDbItem> item;
    struct Past {
      SteadyTime until;
      std::optional<DynamoDbItem> item;
    };
    std::deque<Past> past{};  // oldest first; only as long as a read may see it
  };
  using Rows = std::map<DynamoDbKey, Row>;

  // Of an item or a key: all key attributes are texts and not empty. A key has nothing else.
  [[nodiscard]] Answered<DynamoDbKey> key_of(const DynamoDbItem& item, bool is_key) const;
  [[nodiscard]] DynamoDbItem key_attributes(const DynamoDbKey& key) const;

  // Before a request: what has expired goes.
  void expire();
  [[nodiscard]] const DynamoDbItem* find(const DynamoDbKey& key) const;  // null if there is none
  void write(const DynamoDbKey& key, std::optional<DynamoDbItem> item);

  // What a read sees: now, or if it need not be consistent, perhaps a moment ago.
  [[nodiscard]] SteadyTime view(bool is_consistent);
  [[nodiscard]] static const DynamoDbItem* item_at(const Row& row, SteadyTime moment);

  [[nodiscard]] const Rows& rows() const { return rows_; }
  // The rows with this hash key, and the one behind them.
  [[nodiscard]] std::pair<Rows::const_iterator, Rows::const_iterator> partition(const std::string& hash) const;
  [[nodiscard]] const TableOptions& options() const { return options_; }

 private:
  [[nodiscard]] std::optional<WallTime> end_of(const DynamoDbItem& item) const;

  AwsContext& aws_;
  const TableOptions options_;
  Rows rows_;
  std::multimap<WallTime, DynamoDbKey> ends_;
};

[[nodiscard]] std::size_t size_of_item(const DynamoDbItem& item);  // bytes, as DynamoDB counts them

}  // namespace infra::simulation
