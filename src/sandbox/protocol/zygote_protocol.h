// The messages between the spawner and the zygote: of fixed size, both sides privileged and of one build.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace infra::sandbox {

inline constexpr std::size_t kMaxJoinFiles = 5;
inline constexpr std::size_t kPathBytes = 512;

// With the descriptors of the sandbox's init (a pidfd) and what its `built` report brought.
struct ZygoteRequest {
  std::uint64_t sandbox = 0;                                             // the reply carries it
  std::array<std::array<char, kPathBytes>, kMaxJoinFiles> join_files{};  // empty at the end
};

enum class ZygoteReplyKind : std::uint32_t { ready = 1, forked, failed };

struct ZygoteReply {
  ZygoteReplyKind kind = ZygoteReplyKind::ready;
  std::int32_t runner = -1;  // as the sandbox counts its processes; its init is the parent
  std::uint64_t sandbox = 0;
};

static_assert(std::is_trivially_copyable_v<ZygoteRequest> && std::is_trivially_copyable_v<ZygoteReply>);

}  // namespace infra::sandbox
