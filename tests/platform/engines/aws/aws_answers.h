// Answers and refusals in the forms of AWS's protocols.
#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "platform/engines/aws/simulated_service.h"

namespace infra::simulation {

[[nodiscard]] net::Response json_answer(const boost::json::object& fields);
// {"__type": "PREFIX#Name", "message": …}
[[nodiscard]] net::Response json_refusal(std::string_view prefix, const Refusal& refusal);
[[nodiscard]] net::Response xml_refusal(const Refusal& refusal);

// "Sun, 06 Nov 1994 08:49:37 GMT"
[[nodiscard]] std::string http_date(WallTime time);
// "20260101T000000Z", as x-amz-date has it.
[[nodiscard]] std::optional<WallTime> read_amz_date(std::string_view text);

// A stable number for a text: what a real service spreads its rows by.
[[nodiscard]] std::uint64_t hash_of(std::string_view text);

}  // namespace infra::simulation
