// What passes between the spawner and the zygote: messages of fixed size, both sides privileged and of one build.
#pragma once

#include <array>
#include <cstdint>
#include <type_traits>

namespace infra::worker {

inline constexpr std::size_t kMaxJoinFiles = 5;
inline constexpr std::size_t kPathBytes = 512;

// With the new sandbox's report socket and, if `into_group`, its group's descriptor.
struct ZygoteRequest {
  std::int32_t slot = 0;
  std::uint32_t into_group = 0;
  std::array<std::array<char, kPathBytes>, kMaxJoinFiles> join_files{};  // empty at the end
};

enum class ZygoteReplyKind : std::uint32_t { ready = 1, forked, failed };

// `forked` comes with the child's pidfd.
struct ZygoteReply {
  ZygoteReplyKind kind = ZygoteReplyKind::ready;
  std::int32_t pid = -1;
  std::int32_t error = 0;
};

static_assert(std::is_trivially_copyable_v<ZygoteRequest> && std::is_trivially_copyable_v<ZygoteReply>);

}  // namespace infra::worker
