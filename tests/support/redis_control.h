// A test's own line to a Redis server: blocking and plain, and none of the code under test.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace infra::testing {

// Each failure is a std::runtime_error.
class RedisControl {
 public:
  explicit RedisControl(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const timeval patience{.tv_sec = 2, .tv_usec = 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      ::close(socket_);
      throw std::runtime_error("the Redis server cannot be connected to");
    }
  }
  ~RedisControl() { ::close(socket_); }
  RedisControl(const RedisControl&) = delete;
  RedisControl& operator=(const RedisControl&) = delete;

  // The reply's leaves, one a string; an error reply throws.
  std::vector<std::string> ask(const std::vector<std::string>& command) {
    std::string text = "*" + std::to_string(command.size()) + "\r\n";
    for (const std::string& word : command) {
      text.append("$").append(std::to_string(word.size())).append("\r\n").append(word).append("\r\n");
    }
    if (::send(socket_, text.data(), text.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(text.size())) {
      throw std::runtime_error("the Redis server takes no command");
    }
    std::vector<std::string> leaves;
    read_reply(leaves);
    return leaves;
  }
  std::string ask_one(const std::vector<std::string>& command) {
    const auto leaves = ask(command);
    return leaves.empty() ? std::string() : leaves.front();
  }

 private:
  void read_reply(std::vector<std::string>& leaves) {
    const std::string line = read_line();
    const std::string rest = line.substr(1);
    switch (line.front()) {
      case '-':
        throw std::runtime_error(rest);
      case '*':
        for (int left = std::stoi(rest); left > 0; --left) read_reply(leaves);
        return;
      case '$':
        leaves.push_back(rest == "-1" ? std::string() : read_bytes(std::stoul(rest) + 2));
        if (rest != "-1") leaves.back().resize(leaves.back().size() - 2);
        return;
      default:
        leaves.push_back(rest);
    }
  }
  std::string read_line() {
    std::size_t end = 0;
    while ((end = buffer_.find("\r\n")) == std::string::npos) receive();
    std::string line = buffer_.substr(0, end);
    buffer_.erase(0, end + 2);
    if (line.empty()) throw std::runtime_error("the Redis server says nothing");
    return line;
  }
  std::string read_bytes(std::size_t count) {
    while (buffer_.size() < count) receive();
    std::string bytes = buffer_.substr(0, count);
    buffer_.erase(0, count);
    return bytes;
  }
  void receive() {
    char piece[4096];
    const ssize_t count = ::recv(socket_, piece, sizeof piece, 0);
    if (count <= 0) throw std::runtime_error("the Redis server does not answer");
    buffer_.append(piece, static_cast<std::size_t>(count));
  }

  int socket_;
  std::string buffer_;
};

}  // namespace infra::testing
