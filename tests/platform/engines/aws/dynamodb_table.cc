#include "platform/engines/aws/dynamodb_table.h"

#include <utility>

#include "core/json_value.h"
#include "platform/engines/aws/aws_answers.h"
#include "platform/engines/aws/dynamodb_number.h"

namespace infra::simulation {
namespace {

std::string text_attribute(const DynamoDbItem& item, std::string_view name) {
  const auto* value = item.if_contains(name);
  const auto* typed = value == nullptr ? nullptr : value->if_object();
  return typed == nullptr ? "" : text_of(*typed, "S");
}

}  // namespace

std::size_t size_of_item(const DynamoDbItem& item) {
  std::size_t bytes = 0;
  for (const auto& attribute : item) {
    bytes += attribute.key().size();
    const auto* typed = attribute.value().if_object();
    if (typed == nullptr) continue;
    const std::size_t text = text_of(*typed, "S").size();
    const std::size_t number = text_of(*typed, "N").size();
    bytes += text > 0 ? text : number > 0 ? number / 2 + 1 : 1;
  }
  return bytes;
}

Answered<DynamoDbKey> DynamoDbTable::key_of(const DynamoDbItem& item, bool is_key) const {
  DynamoDbKey key{.hash = text_attribute(item, options_.hash)};
  key.token = hash_of(key.hash);
  if (!options_.range.empty()) key.range = text_attribute(item, options_.range);
  const bool is_whole = !key.hash.empty() && options_.range.empty() == key.range.empty();
  if (!is_whole || (is_key && item.size() != (options_.range.empty() ? 1U : 2U)))
    return validation_error("The provided key element does not match the schema");
  return key;
}

DynamoDbItem DynamoDbTable::key_attributes(const DynamoDbKey& key) const {
  DynamoDbItem item{{options_.hash, boost::json::object{{"S", key.hash}}}};
  if (!options_.range.empty()) item[options_.range] = boost::json::object{{"S", key.range}};
  return item;
}

std::optional<WallTime> DynamoDbTable::end_of(const DynamoDbItem& item) const {
  const auto* value = options_.ttl.empty() ? nullptr : item.if_contains(options_.ttl);
  const auto* typed = value == nullptr ? nullptr : value->if_object();
  const auto seconds = typed == nullptr ? std::nullopt : read_decimal(text_of(*typed, "N"));
  if (!seconds) return std::nullopt;
  return WallTime{milliseconds{seconds->millionths / 1000}};
}

void DynamoDbTable::expire() {
  const WallTime now = aws_.clock.now();
  while (!ends_.empty() && ends_.begin()->first <= now) {
    const auto due = ends_.extract(ends_.begin());
    const DynamoDbItem* const item = find(due.mapped());
    const auto end = item == nullptr ? std::nullopt : end_of(*item);
    if (end && *end <= now) write(due.mapped(), std::nullopt);
  }
}

const DynamoDbItem* DynamoDbTable::find(const DynamoDbKey& key) const {
  const auto found = rows_.find(key);
  return found == rows_.end() || !found->second.item ? nullptr : &*found->second.item;
}

void DynamoDbTable::write(const DynamoDbKey& key, std::optional<DynamoDbItem> item) {
  const auto& faults = aws_.faults.dynamodb;
  if (const auto end = item ? end_of(*item) : std::nullopt)
    ends_.emplace(*end + aws_.dice.between(milliseconds{0}, faults.ttl_late_most), key);
  Row& row = rows_[key];
  const SteadyTime now = aws_.now();
  while (!row.past.empty() && row.past.front().until + faults.stale_most < now) row.past.pop_front();
  if (faults.stale > 0) row.past.push_back({.until = now, .item = std::move(row.item)});
  row.item = std::move(item);
  if (!row.item && row.past.empty()) rows_.erase(key);
}

std::pair<DynamoDbTable::Rows::const_iterator, DynamoDbTable::Rows::const_iterator> DynamoDbTable::partition(
    const std::string& hash) const {
  const auto first = rows_.lower_bound({.token = hash_of(hash), .hash = hash});
  auto end = first;
  while (end != rows_.end() && end->first.hash == hash) ++end;
  return {first, end};
}

SteadyTime DynamoDbTable::view(bool is_consistent) {
  const auto& faults = aws_.faults.dynamodb;
  if (is_consistent || !aws_.dice.chance(faults.stale)) return aws_.now();
  return aws_.now() - aws_.dice.between(milliseconds{1}, faults.stale_most);
}

const DynamoDbItem* DynamoDbTable::item_at(const Row& row, SteadyTime moment) {
  for (const auto& past : row.past) {
    if (past.until > moment) return past.item ? &*past.item : nullptr;
  }
  return row.item ? &*row.item : nullptr;
}

}  // namespace infra::simulation
