#include "sandbox/system/message_socket.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

namespace infra::sandbox {
namespace {

constexpr int kMostShortages = 1000;
constexpr std::chrono::milliseconds kShortagePause{1};
constexpr std::size_t kControlBytes = CMSG_SPACE(sizeof(int) * kMaxPassedFds);

void take_fds(msghdr& header, PassedFds* fds) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof fd);
      UniqueFd owned(fd);
      if (fds != nullptr && i < fds->size()) (*fds)[i] = std::move(owned);
    }
  }
}

// The kernel has no memory for it at the moment: that is not the end of a socket on which all sandboxes depend.
bool is_short_of_memory(int error) {
  return error == ENOMEM || error == ENOBUFS;
}

// As sendmsg() or recvmsg(), tried again where that helps.
template <typename Call>
ssize_t persistently(Call call) {
  for (int shortages = 0;;) {
    const ssize_t done = call();
    if (done >= 0 || (errno != EINTR && (!is_short_of_memory(errno) || ++shortages > kMostShortages))) return done;
    if (is_short_of_memory(errno)) std::this_thread::sleep_for(kShortagePause);
  }
}

}  // namespace

bool send_bytes(int socket, std::span<const std::byte> message, std::span<const int> fds) {
  iovec part{const_cast<std::byte*>(message.data()), message.size()};
  alignas(cmsghdr) std::array<std::byte, kControlBytes> control{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  if (!fds.empty()) {
    header.msg_control = control.data();
    header.msg_controllen = CMSG_SPACE(fds.size_bytes());
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(rights), fds.data(), fds.size_bytes());
  }
  const ssize_t sent = persistently([&] { return ::sendmsg(socket, &header, MSG_NOSIGNAL); });
  return sent == static_cast<ssize_t>(message.size());
}

Received receive_bytes(int socket, std::span<std::byte> message, PassedFds* fds, bool wait) {
  iovec part{message.data(), message.size()};
  alignas(cmsghdr) std::array<std::byte, kControlBytes> control{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  const ssize_t got =
      persistently([&] { return ::recvmsg(socket, &header, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT)); });
  if (got < 0 && !wait && (errno == EAGAIN || errno == EWOULDBLOCK)) return Received::nothing;
  if (got < 0) return Received::closed;
  take_fds(header, fds);
  const bool whole = static_cast<std::size_t>(got) == message.size() && (header.msg_flags & MSG_TRUNC) == 0;
  if (!whole) return Received::closed;
  return (header.msg_flags & MSG_CTRUNC) == 0 ? Received::message : Received::cut;
}

void put_text(std::array<char, kTextBytes>& field, std::string_view text) {
  field.fill('\0');
  std::copy_n(text.begin(), std::min(text.size(), field.size() - 1), field.begin());
}

std::string_view get_text(const std::array<char, kTextBytes>& field) {
  return {field.data(), ::strnlen(field.data(), field.size())};
}

}  // namespace infra::sandbox
