// Keys as items of the configuration store, one a key.
#pragma once

#include <optional>
#include <string>

#include "core/api_key.h"
#include "ports/configuration_store.h"

namespace infra::app {

inline constexpr const char* kKeyPartition = "key";
inline constexpr const char* kKeyMark = "mark";  // another one by every write

// A key as it is stored, and the mark by which the next write knows whether another came before it.
struct KeyRow {
  ApiKey key;
  std::string mark;
};

[[nodiscard]] ConfigurationItem to_item(const KeyRow& row);
// Nullopt for what is no key's.
[[nodiscard]] std::optional<KeyRow> to_key_row(const ConfigurationItem& item);
[[nodiscard]] ConfigurationKey place_of_key(std::string id);

}  // namespace infra::app
