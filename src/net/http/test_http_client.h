// A blocking client on a raw socket, so that tests decide each byte and see each end of the connection.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace infra::net {

class TestClient {
 public:
  // `from`: the last byte of its address in 127.0.0.0/24; `room`: what its kernel takes in unread, if not as usual.
  explicit TestClient(std::uint16_t port, std::uint8_t from = 1, int room = 0)
      : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    // Only a broken server meets this; no test waits for it.
    const timeval limit{.tv_sec = 20, .tv_usec = 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    if (room > 0) ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
    sockaddr_in own{};
    own.sin_family = AF_INET;
    own.sin_addr.s_addr = htonl((INADDR_LOOPBACK & ~0xffU) | from);
    if (from != 1 && ::bind(socket_, reinterpret_cast<const sockaddr*>(&own), sizeof(own)) != 0)
      ADD_FAILURE() << "bind: errno " << errno;
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
      ADD_FAILURE() << "connect: errno " << errno;
    }
  }
  ~TestClient() { close(); }
  TestClient(const TestClient&) = delete;
  TestClient& operator=(const TestClient&) = delete;

  // False if the server stopped taking bytes.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

  // One response, headers and body by its Content-Length; what came before the end if it ended early.
  std::string receive_response(bool has_body = true) {
    std::size_t end = std::string::npos;
    while ((end = received_.find("\r\n\r\n")) == std::string::npos && receive_some()) {
    }
    if (end == std::string::npos) return take(received_.size());
    end += 4;
    constexpr std::string_view kLength = "Content-Length: ";
    const std::size_t field = received_.substr(0, end).find(kLength);
    if (has_body && field != std::string::npos) {
      const std::size_t length = std::strtoull(received_.c_str() + field + kLength.size(), nullptr, 10);
      while (received_.size() < end + length && receive_some()) {
      }
      end = std::min(end + length, received_.size());
    }
    return take(end);
  }

  // All up to an orderly end; a reset is a test failure.
  std::string receive_to_end() {
    while (receive_some()) {
    }
    EXPECT_EQ(receive_errno_, 0) << "the connection did not end in order";
    return take(received_.size());
  }

  std::string ask(std::string_view request) {
    send(request);
    return receive_response();
  }

  // A byte that must not come is waited for this long.
  bool is_silent(int milliseconds) {
    timeval limit{.tv_sec = 0, .tv_usec = milliseconds * 1000};
    fd_set readable;
    FD_ZERO(&readable);
    FD_SET(socket_, &readable);
    return received_.empty() && ::select(socket_ + 1, &readable, nullptr, nullptr, &limit) == 0;
  }

  void finish_sending() { ::shutdown(socket_, SHUT_WR); }
  void close() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
  }
  // As a killed client does: the server sees a reset.
  void reset() {
    const linger abrupt{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &abrupt, sizeof(abrupt));
    close();
  }

 private:
  bool receive_some() {
    char piece[4096];
    const ssize_t got = ::recv(socket_, piece, sizeof(piece), 0);
    receive_errno_ = got < 0 ? errno : 0;
    if (got > 0) received_.append(piece, static_cast<std::size_t>(got));
    return got > 0;
  }
  std::string take(std::size_t count) {
    std::string taken = received_.substr(0, count);
    received_.erase(0, count);
    return taken;
  }

  int socket_;
  int receive_errno_ = 0;
  std::string received_;
};

}  // namespace infra::net
