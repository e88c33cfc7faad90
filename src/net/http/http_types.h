// Requests and responses as the rest of Infra sees them: Beast stays behind http_server.cc.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/task.h"
#include "core/time.h"

namespace infra::net {

using Header = std::pair<std::string, std::string>;

class Headers {
 public:
  // Names are compared without case. Nullopt if absent; the first one if there are several.
  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const;
  [[nodiscard]] std::size_t count(std::string_view name) const;
  void add(std::string name, std::string value);
  // All lines of that name as the one list that they are (RFC 9110, 5.3), in order; empty if absent.
  [[nodiscard]] std::string joined(std::string_view name) const;
  void set(std::string_view name, std::string value);  // replaces all of that name
  void clear() { all_.clear(); }
  [[nodiscard]] const std::vector<Header>& all() const { return all_; }

 private:
  std::vector<Header> all_;
};

// A request's body while it arrives. Nothing of it is read (and no "100 Continue" sent) before the first read().
class BodyStream {
 public:
  virtual ~BodyStream() = default;
  // Fills the front of `buffer`; 0 at the end. `invalid` (code body_incomplete) if the client breaks off or the framing
  // is malformed, `timeout` (code body_timeout) if it stalls.
  virtual Task<Result<std::size_t>> read(std::span<char> buffer) = 0;
  // Content-Length, if there is one.
  [[nodiscard]] virtual std::optional<std::uint64_t> content_length() const = 0;
};

struct Request {
  std::string method;  // "GET"
  std::string path;    // percent-encoded as sent, without the query
  std::string query;   // without '?', percent-encoded
  Headers headers;
  std::string peer;            // the socket's address, without port
  BodyStream* body = nullptr;  // never null in a handler
  SteadyTime arrived;          // when the last of it so far was read from the socket
};

struct Response {
  int status = 200;
  Headers headers;
  std::string body;                       // Content-Length is added by the server
  std::function<void()> afterwards = {};  // called once it has been written, or can't be: work without a waiter
};

// Reads the whole body, at most `max_bytes` of it: `too_large` (code body_too_large) as soon as more is announced or
// arrives.
Task<Result<std::string>> read_all(BodyStream& body, std::uint64_t max_bytes);

// "a%20b" -> "a b"; nullopt if a '%' is not followed by two hex digits.
[[nodiscard]] std::optional<std::string> percent_decode(std::string_view text);
[[nodiscard]] std::string percent_encode(std::string_view text);  // all but unreserved characters (RFC 3986)

// The first value of a query parameter, percent-decoded ('+' is a space); nullopt if absent or malformed.
[[nodiscard]] std::optional<std::string> query_value(std::string_view query, std::string_view name);

}  // namespace infra::net
