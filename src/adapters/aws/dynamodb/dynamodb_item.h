// DynamoDB's items as the stores speak of them: typed attributes in JSON, and rows of ours or of the reference
// platform, which have fewer.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/function.h"
#include "core/job_result.h"

namespace infra::aws {

using DynamoDbItem = boost::json::object;  // attribute name -> {"S": …}, {"N": …} or {"BOOL": …}

[[nodiscard]] boost::json::object text_attribute(std::string_view text);
[[nodiscard]] boost::json::object number_attribute(std::int64_t number);
[[nodiscard]] boost::json::object number_attribute(double number);  // three decimals
[[nodiscard]] boost::json::object boolean_attribute(bool value);

// Empty, nullopt, false for what is absent or of another type.
[[nodiscard]] std::string text_attribute_of(const DynamoDbItem& item, std::string_view name);
[[nodiscard]] std::optional<double> number_attribute_of(const DynamoDbItem& item, std::string_view name);
[[nodiscard]] bool boolean_attribute_of(const DynamoDbItem& item, std::string_view name);

// A setting as its row has it; nullopt if the row has no such attribute: an empty text, or a default that is not
// written.
[[nodiscard]] std::optional<boost::json::object> setting_attribute(const SettingField& field,
                                                                   const FunctionSettings& settings);

// A function's row with its counters. What is empty is left out.
[[nodiscard]] DynamoDbItem to_item(const Function& function);
// Reads whatever a row has: what is missing, or breaks a rule that came later, gets its default.
[[nodiscard]] Function function_from(const DynamoDbItem& item);

[[nodiscard]] DynamoDbItem to_item(const LogRow& row);
[[nodiscard]] LogRow log_row_from(const DynamoDbItem& item);

// A table that is not there is a setting to mend, not a missing row: `unavailable` (code table_missing).
[[nodiscard]] Error table_error(Error error, std::string_view table);

}  // namespace infra::aws
