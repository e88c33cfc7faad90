// How values are kept in columns.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/sqlite/sqlite.h"
#include "core/enum_number.h"
#include "core/error.h"
#include "core/error_codes.h"
#include "core/function_settings.h"
#include "core/time.h"

namespace infra {

[[nodiscard]] inline std::int64_t to_column(WallTime time) {
  return time.time_since_epoch().count();
}
[[nodiscard]] inline WallTime time_from_column(std::int64_t value) {
  return WallTime{milliseconds{value}};
}

// An enumeration's number. An unknown one is an error: the row was not written by us.
template <typename Enum>
[[nodiscard]] Result<Enum> enum_from_column(std::int64_t number) {
  if (const auto value = from_number<Enum>(number)) return *value;
  return fail(errors::engine_unavailable, "A row of the database holds a number that means nothing.");
}

// A row's settings are columns one beside the other, in the order of setting_fields().
enum class SettingsOf : std::uint8_t { function, job };

[[nodiscard]] std::string setting_columns(SettingsOf row);      // "name, runtime"
[[nodiscard]] std::string setting_places(SettingsOf row);       // "?, ?"
[[nodiscard]] std::string setting_assignments(SettingsOf row);  // "name=?, runtime=?"

// What stands in their columns as text, which must be there until the statement has run.
class SettingTexts {
 public:
  explicit SettingTexts(const FunctionSettings& settings);
  [[nodiscard]] std::string_view of(const SettingField& field) const;

 private:
  std::vector<std::string> texts_;
};
void bind_settings(sqlite::Statement& statement, SettingsOf row, const FunctionSettings& settings,
                   const SettingTexts& texts);
// Columns from `first` on. What means nothing is an error: the row was not written by us.
[[nodiscard]] Result<void> read_settings(const sqlite::Statement& statement, int first, SettingsOf row,
                                         FunctionSettings& settings);

}  // namespace infra
