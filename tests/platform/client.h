// Whoever uses a simulated platform: sends requests to its door, and waits for their answers in the world's time.
#pragma once

#include <boost/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/http/http_types.h"
#include "platform/virtual_network.h"
#include "platform/virtual_world.h"

namespace infra::sim {

inline constexpr std::string_view kApiKey = "the-key-of-this-world-which-is-long-enough";

struct Sent {
  std::string method = "GET";
  std::string target{};  // path and query
  std::string body{};
  std::vector<net::Header> headers{};
  milliseconds patience{std::chrono::minutes(20)};
};

struct Answer {
  int status = 0;        // 0: there is none, because nobody listened, the connection broke or patience ended
  bool refused = false;  // of status 0: nothing was sent
  net::Headers headers{};
  std::string body{};
  std::optional<Arrival> arrival{};  // none: it never came to a program

  [[nodiscard]] boost::json::object json() const;  // empty if it is none
  [[nodiscard]] std::string text(std::string_view name) const;
};

// A function as a client uploads it. Members that are not set are not sent.
struct Upload {
  std::string name = "function";
  std::string code;  // the word of a MemoryFunction
  std::vector<std::pair<std::string, std::string>> settings{};
};

class Client {
 public:
  Client(VirtualWorld& world, Door& door, std::string address = "192.0.2.1")
      : world_(world), door_(door), address_(std::move(address)) {}

  [[nodiscard]] const std::string& address() const { return address_; }

  Task<Answer> send(Sent sent);
  Task<Answer> upload(const Upload& upload);
  Task<Answer> update(const std::string& function, const Upload& upload);
  // `input` is JSON.
  Task<Answer> run(const std::string& function, const std::string& input, bool async = false);
  Task<Answer> get(std::string target) { return send({.target = std::move(target)}); }
  Task<Answer> remove(const std::string& function) {
    return send({.method = "DELETE", .target = "/functions/" + function});
  }

 private:
  Task<Answer> send_form(std::string method, std::string target, Upload upload);

  VirtualWorld& world_;
  Door& door_;
  const std::string address_;
};

}  // namespace infra::sim
