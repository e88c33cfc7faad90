// What the platform keeps beside functions and runs: small items with a few attributes, each written by itself under a
// condition. There are no transactions: a change of several items is a sequence of single writes of which every prefix
// is a valid state. Engines: SQLite, DynamoDB.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/error.h"
#include "core/error_codes.h"
#include "core/task.h"
#include "core/time.h"

namespace infra {

// Items of one kind or owner share `partition` and are ordered by `sort`, byte by byte. Both are UTF-8 of 1 to 512
// bytes.
struct ConfigurationKey {
  std::string partition;
  std::string sort;
  bool operator==(const ConfigurationKey&) const = default;
};

using ConfigurationValue = std::variant<std::string, std::int64_t>;

struct ConfigurationItem {
  ConfigurationKey key;
  // By names [A-Za-z]+ but pk, sk and expiresAt; 64 KiB in all at most.
  std::map<std::string, ConfigurationValue, std::less<>> attributes;
  std::optional<WallTime> expires_at{};  // whole seconds, the rest is cut off; from then on there is no such item
  bool operator==(const ConfigurationItem&) const = default;

  [[nodiscard]] std::string text(std::string_view name) const {  // empty if it has none
    const auto found = attributes.find(name);
    const auto* value = found == attributes.end() ? nullptr : std::get_if<std::string>(&found->second);
    return value == nullptr ? std::string() : *value;
  }
};

// What an item must have for a write to be carried out.
struct ConfigurationCondition {
  std::string attribute;
  ConfigurationValue value;
};

struct ConfigurationPage {
  std::vector<ConfigurationItem> items;  // in the order of `sort`
  std::string next;                      // empty: this was the last page; else the next one's `after`
};

[[nodiscard]] inline Error configuration_absent() {
  return {errors::configuration_absent,
          "This fleet has no table for what is not a function: `infra setup aws` makes it (docs/aws.md, Resources). "
          "Functions are found by id meanwhile."};
}

// Every method may be called from any event thread, and fails with `unavailable` when the engine does not answer: a
// write may have been carried out then. What is written is durable when it returns, and seen by every read after it.
class ConfigurationStore {
 public:
  virtual ~ConfigurationStore() = default;

  // Whether there is one as far as is known by now: a fleet may have no table, and get one while it runs. Where there
  // is none every other method fails with configuration_absent.
  [[nodiscard]] virtual bool exists() const { return true; }

  virtual Task<Result<std::optional<ConfigurationItem>>> get(const ConfigurationKey& key) = 0;

  // `conflict` (code item_changed) if there is an item of this key.
  virtual Task<Result<void>> put_new(const ConfigurationItem& item) = 0;
  // Takes the place of the item of this key. `conflict` if there is none, or not one as the condition says.
  virtual Task<Result<void>> replace(const ConfigurationItem& item, const ConfigurationCondition& condition) = 0;
  // `conflict` if there is none, or not one as the condition says.
  virtual Task<Result<void>> remove(const ConfigurationKey& key, const ConfigurationCondition& condition) = 0;

  // Items of a partition with `sort` behind `after` (empty: all of them), 1 to 1000 at a time.
  virtual Task<Result<ConfigurationPage>> query(const std::string& partition, const std::string& after, int limit) = 0;
};

}  // namespace infra
