// Strong types for ids, and how ids are made: UUIDs of version 7 (RFC 9562), so that they sort by time.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "core/time.h"

namespace infra {

// A string that is only comparable with its own kind.
template <typename Tag>
struct Id {
  std::string value;
  auto operator<=>(const Id&) const = default;
  [[nodiscard]] bool empty() const { return value.empty(); }
};

using FunctionId = Id<struct FunctionIdTag>;
using RequestId = Id<struct RequestIdTag>;  // of the request and, being the same, of its job
using WorkerId = Id<struct WorkerIdTag>;

using UuidRandom = std::array<std::byte, 10>;

// `random` fills the 74 bits that are not time or version.
[[nodiscard]] std::string make_uuid_v7(WallTime time, const UuidRandom& random);

// The version digit of a well-formed UUID in its 36-character form; nullopt if it is not one.
[[nodiscard]] std::optional<int> uuid_version(std::string_view text);

// Of a request that a reference platform's controller accepted (it makes version 4): that controller logs and counts
// it, and our rows would be second ones.
[[nodiscard]] bool is_foreign(const RequestId& id);

// The millisecond inside a version 7 UUID.
[[nodiscard]] std::optional<WallTime> uuid_v7_time(std::string_view text);

// The form of a function id in a path or body: [A-Za-z0-9_-]{1,128}. (Ours are UUIDs; stored rows may have others.)
[[nodiscard]] bool is_valid_function_id(std::string_view text);

}  // namespace infra

template <typename Tag>
struct std::hash<infra::Id<Tag>> {
  std::size_t operator()(const infra::Id<Tag>& id) const noexcept { return std::hash<std::string>{}(id.value); }
};
