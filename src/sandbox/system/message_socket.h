// Sends and receives one fixed-size message with descriptors over a SOCK_SEQPACKET socket.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string_view>
#include <type_traits>

#include "sandbox/system/unique_fd.h"

namespace infra::sandbox {

inline constexpr std::size_t kMaxPassedFds = 15;  // with one message
inline constexpr std::size_t kTextBytes = 240;    // of a field for words

using PassedFds = std::array<UniqueFd, kMaxPassedFds>;

enum class Received {
  message,
  cut,  // a message, but this process had no room for all of its descriptors; those that came are given
  closed,
  nothing
};

// False if the peer is gone. Never raises SIGPIPE.
bool send_bytes(int socket, std::span<const std::byte> message, std::span<const int> fds);

// A message of any other size counts as `closed`: the peer is not ours. `nothing` only if `wait` is false.
Received receive_bytes(int socket, std::span<std::byte> message, PassedFds* fds, bool wait);

template <typename Message>
bool send_message(int socket, const Message& message, std::span<const int> fds = {}) {
  static_assert(std::is_trivially_copyable_v<Message>);
  return send_bytes(socket, std::as_bytes(std::span(&message, 1)), fds);
}

template <typename Message>
Received receive_message(int socket, Message& message, PassedFds* fds = nullptr, bool wait = true) {
  static_assert(std::is_trivially_copyable_v<Message>);
  return receive_bytes(socket, std::as_writable_bytes(std::span(&message, 1)), fds, wait);
}

void put_text(std::array<char, kTextBytes>& field, std::string_view text);
[[nodiscard]] std::string_view get_text(const std::array<char, kTextBytes>& field);

}  // namespace infra::sandbox
