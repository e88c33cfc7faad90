// HTTP/1.1 as text: a request's header and chunks into our types, a response's head into bytes. Its .cc is the one file
// that sees Beast's parser.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/error.h"
#include "net/http/http_types.h"

namespace infra::net {

enum class Framing : std::uint8_t { none, length, chunked };

// The connection's own facts of a request, besides the Request itself.
struct RequestHead {
  bool http_1_0 = false;
  bool keep_alive = false;
  bool expects_continue = false;
  Framing framing = Framing::none;
  std::uint64_t content_length = 0;
};

struct ChunkStep {
  std::size_t consumed = 0;  // of the raw bytes
  std::size_t produced = 0;  // written to the output
  bool finished = false;     // the last chunk and the trailer are behind us
};

// One at a time: parse_header() begins a new request and forgets the one before.
class RequestParser {
 public:
  RequestParser();
  ~RequestParser();
  RequestParser(const RequestParser&) = delete;
  RequestParser& operator=(const RequestParser&) = delete;

  // `header` is all of it, up to and with its empty line (see header_length). Fills method, path, query and headers.
  // `invalid` (code invalid_request) names what is malformed or ambiguous; the connection can't be trusted after that.
  Result<RequestHead> parse_header(std::string_view header, Request& request);

  // Takes the chunked framing off as far as `raw` and `out` reach. A step that neither consumes nor finishes needs more
  // bytes behind the same ones. `invalid` (code body_incomplete) if the framing is malformed.
  Result<ChunkStep> parse_chunks(std::string_view raw, std::span<char> out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The length of the header at the front of `bytes`, its empty line included; nullopt as long as that has not come. The
// first `searched` bytes are known to hold no end.
[[nodiscard]] std::optional<std::size_t> header_length(std::string_view bytes, std::size_t searched);

struct ResponseFraming {
  bool keep_alive = true;
  bool http_1_0 = false;  // of the request: such a client must be told that the connection stays
  bool head = false;      // the answer to a HEAD
};

// Writes status line and headers over `out`. The server alone decides Content-Length, Transfer-Encoding and Connection;
// only the answer to a HEAD, which has no body to measure, may bring its Content-Length along.
void write_head(const Response& response, ResponseFraming framing, std::string& out);

// Does this answer have body bytes behind its head?
[[nodiscard]] bool sends_body(const Response& response, ResponseFraming framing);

}  // namespace infra::net
