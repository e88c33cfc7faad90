// Requests and responses as the rest of Infra sees them: Beast stays behind http_server.cc.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/byte_source.h"
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
  // All lines of that name as the one list that they are (RFC 9110, 5.3), in order; empty if absent.
  [[nodiscard]] std::string joined(std::string_view name) const;
  void add(std::string name, std::string value);
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
  // Called before that many bytes of it, more than before, are kept in memory; they count until the request has been
  // answered. False if they have to be waited for.
  [[nodiscard]] virtual bool try_hold(std::uint64_t /*bytes*/) { return true; }
  // Waits for them. `unavailable` (code overloaded) if they do not become free.
  virtual Task<Result<void>> hold(std::uint64_t /*bytes*/) { co_return Result<void>{}; }
  // Content-Length, if there is one.
  [[nodiscard]] virtual std::optional<std::uint64_t> content_length() const = 0;
};

// The connection of a request. Who may keep one when there are many depends on what is asked on it, and by whom.
class Origin {
 public:
  virtual ~Origin() = default;
  // The request has the key. False if there are more connections than there may be, and no room for this one.
  [[nodiscard]] virtual bool show_key() = 0;
  virtual void ask_for_health() = 0;  // without a key
};

struct Request {
  std::string method;  // "GET"
  std::string path;    // percent-encoded as sent, without the query
  std::string query;   // without '?', percent-encoded
  Headers headers;
  std::string peer;            // the socket's address, without port
  BodyStream* body = nullptr;  // never null in a handler
  Origin* origin = nullptr;    // null if there is no connection
  SteadyTime arrived;          // when the last of it so far was read from the socket
};

// A body without a known length: it goes on until its producer, its client or the server ends it.
class StreamedBody {
 public:
  static constexpr std::size_t kMaxPiece = 64 * 1024;  // bytes, about: what a client that does not read costs

  virtual ~StreamedBody() = default;
  // Waits for the next piece; empty at the end. On the connection's event thread, one call at a time. What it gives
  // every 15 s at least tells the client that it is still there.
  virtual Task<std::string> next() = 0;
  // From now on next() returns soon, with the end. Any thread, any number of times.
  virtual void stop() = 0;
};

struct Response {
  int status = 200;
  Headers headers;
  std::string body;                       // Content-Length is added by the server
  ByteSourcePtr file = {};                // in place of `body`: read as the client takes it
  std::function<void()> afterwards = {};  // called once it has been written, or can't be: work without a waiter
  // In place of both: the request is over (`afterwards`, and for who waits for requests) when its head is out, and the
  // connection ends with it.
  std::shared_ptr<StreamedBody> stream = {};

  [[nodiscard]] std::uint64_t size() const { return file != nullptr ? file->size() : body.size(); }
};

// Reads the whole body, at most `max_bytes` of it: `too_large` (code body_too_large) as soon as more is announced or
// arrives. What it keeps is held (BodyStream::hold) before it is read.
Task<Result<std::string>> read_all(BodyStream& body, std::uint64_t max_bytes);

// "a%20b" -> "a b"; nullopt if a '%' is not followed by two hex digits.
[[nodiscard]] std::optional<std::string> percent_decode(std::string_view text);
[[nodiscard]] std::string percent_encode(std::string_view text);  // all but unreserved characters (RFC 3986)

// The first value of a query parameter, percent-decoded ('+' is a space); nullopt if absent or malformed.
[[nodiscard]] std::optional<std::string> query_value(std::string_view query, std::string_view name);

}  // namespace infra::net
