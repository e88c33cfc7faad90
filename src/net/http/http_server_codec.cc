// Beast's push parser does the grammar; what it tolerates and a server in front of others must not (obsolete line
// folding, bare line feeds, codings other than chunked, requests without Host) is refused here, because it is what
// request smuggling is made of.
#include "net/http/http_server_codec.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <boost/beast/http/status.hpp>
#include <iterator>
#include <limits>

#include "core/error_codes.h"

namespace infra::net {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

namespace {

using ErrorCode = boost::system::error_code;

bool same(std::string_view a, std::string_view b) {
  return beast::iequals(beast::string_view(a.data(), a.size()), beast::string_view(b.data(), b.size()));
}

std::unexpected<Error> invalid_request(std::string message) {
  return fail(errors::invalid_request, std::move(message));
}

std::unexpected<Error> invalid_chunk() {
  return fail(errors::body_incomplete, "The chunked encoding of the request body is malformed.");
}

// RFC 9112 2.2 and 5.2: a bare LF ends no line, and a line may not go on on the next.
bool has_sound_lines(std::string_view header) {
  for (std::size_t lf = header.find('\n'); lf != std::string_view::npos; lf = header.find('\n', lf + 1)) {
    if (lf == 0 || header[lf - 1] != '\r') return false;
    if (lf + 1 < header.size() && (header[lf + 1] == ' ' || header[lf + 1] == '\t')) return false;
  }
  return true;
}

// RFC 9112 3.2: "/path?query", "http://host/path?query" (to a proxy, but to be understood) or "*".
Result<void> split_target(std::string_view target, Request& request) {
  if (!target.starts_with('/')) {
    const std::size_t scheme_end = target.find("://");
    if (scheme_end != std::string_view::npos && target.find('/') == scheme_end + 1) {
      target.remove_prefix(scheme_end + 3);
      target.remove_prefix(std::min(target.find_first_of("/?"), target.size()));
    } else if (target != "*" || request.method != "OPTIONS") {
      return invalid_request("The request target must be a path that begins with '/'.");
    }
  }
  if (target.find('#') != std::string_view::npos) {
    return invalid_request("The request target must not have a fragment ('#').");
  }
  const std::size_t path_end = std::min(target.find('?'), target.size());
  request.path = target.substr(0, path_end);
  if (request.path.empty()) request.path = "/";
  request.query = target.substr(std::min(path_end + 1, target.size()));
  return {};
}

bool may_have_body(int status) {
  return status >= 200 && status != 204 && status != 304;
}

bool is_token(std::string_view name) {
  constexpr std::string_view kSpecial = "!#$%&'*+-.^_`|~";
  return !name.empty() && std::ranges::all_of(name, [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kSpecial.find(c) != std::string_view::npos;
  });
}

// A handler that copies a client's text into a header must not be able to split the response.
void append_header(std::string_view name, std::string_view value, std::string& out) {
  if (!is_token(name)) return;
  out.append(name).append(": ");
  std::ranges::transform(value, std::back_inserter(out),
                         [](char c) { return c == '\r' || c == '\n' || c == '\0' ? ' ' : c; });
  out.append("\r\n");
}

// The end of a chunked body, "0\r\n\r\n", and so the least that is still to come of one wherever a chunk begins. Beast
// asserts, and does not ask, that a last chunk which it could not end comes again with that much.
constexpr std::size_t kShortestEnd = 5;

bool is_decimal(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

bool is_control(char c) {
  return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
}

class Parser : public http::basic_parser<true> {
 public:
  explicit Parser(Request& request) : request_(&request) {
    // Limits are the connection's and the handler's: a large body must be routed and authenticated before it is
    // refused.
    body_limit(boost::none);
    header_limit(std::numeric_limits<std::uint32_t>::max());
  }

  void forget_request() { request_ = nullptr; }  // trailer fields are dropped
  void set_output(std::span<char> out) {
    out_ = out;
    produced_ = 0;
  }
  [[nodiscard]] std::size_t produced() const { return produced_; }
  [[nodiscard]] bool output_full() const { return produced_ == out_.size(); }
  [[nodiscard]] const std::string& target() const { return target_; }
  [[nodiscard]] int version() const { return version_; }

 private:
  void on_request_impl(http::verb /*verb*/, beast::string_view method, beast::string_view target, int version,
                       ErrorCode& /*error*/) override {
    request_->method.assign(method.data(), method.size());
    target_.assign(target.data(), target.size());
    version_ = version;
  }
  void on_response_impl(int /*status*/, beast::string_view /*reason*/, int /*version*/, ErrorCode& /*error*/) override {
  }
  void on_field_impl(http::field /*field*/, beast::string_view name, beast::string_view value,
                     ErrorCode& /*error*/) override {
    if (request_ != nullptr) request_->headers.add(std::string(name), std::string(value));
  }
  void on_header_impl(ErrorCode& /*error*/) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>& /*length*/, ErrorCode& /*error*/) override {}
  std::size_t on_body_impl(beast::string_view /*body*/, ErrorCode& /*error*/) override { return 0; }
  // A line break in a quoted extension ends the line for whom reads less carefully.
  void on_chunk_header_impl(std::uint64_t /*size*/, beast::string_view extensions, ErrorCode& error) override {
    if (std::ranges::any_of(extensions, is_control)) error = http::error::bad_chunk_extension;
  }
  std::size_t on_chunk_body_impl(std::uint64_t /*remaining*/, beast::string_view body, ErrorCode& /*error*/) override {
    const std::size_t taken = std::min(body.size(), out_.size() - produced_);
    std::copy_n(body.data(), taken, out_.data() + produced_);
    produced_ += taken;
    return taken;
  }
  void on_finish_impl(ErrorCode& /*error*/) override {}

  Request* request_;
  std::string target_;
  int version_ = 11;
  std::span<char> out_;
  std::size_t produced_ = 0;
};

}  // namespace

// The parser cannot be reused, its memory can.
struct RequestParser::State {
  std::optional<Parser> parser;
  bool starved = false;  // in a chunk's beginning, or behind the last one
};

RequestParser::RequestParser() : state_(std::make_unique<State>()) {}
RequestParser::~RequestParser() = default;

Result<RequestHead> RequestParser::parse_header(std::string_view header, Request& request) {
  if (!has_sound_lines(header)) {
    return invalid_request("Each header line must be one line that ends with CRLF.");
  }
  request.headers.clear();
  Parser& parser = state_->parser.emplace(request);
  state_->starved = false;
  ErrorCode error;
  const std::size_t used = parser.put(asio::const_buffer(header.data(), header.size()), error);
  if (error || used != header.size() || !parser.is_header_done()) {
    return invalid_request(fmt::format("The request header is malformed ({}).", error.message()));
  }
  RequestHead head{.http_1_0 = parser.version() == 10, .keep_alive = parser.keep_alive()};
  const std::size_t hosts = request.headers.count("Host");
  if (hosts > 1 || (hosts == 0 && !head.http_1_0)) {
    return invalid_request("A request must have exactly one Host header.");
  }
  const auto lengths = request.headers.count("Content-Length");
  if (lengths > 1 || (lengths == 1 && !is_decimal(*request.headers.find("Content-Length")))) {
    return invalid_request("A request must have at most one Content-Length header, with one number in it.");
  }
  if (const auto coding = request.headers.find("Transfer-Encoding")) {
    if (head.http_1_0 || request.headers.count("Transfer-Encoding") > 1 || !same(*coding, "chunked")) {
      return invalid_request("The only Transfer-Encoding that is understood is \"chunked\", in HTTP/1.1.");
    }
    head.framing = Framing::chunked;
  } else if (const auto length = parser.content_length(); length && *length > 0) {
    head.framing = Framing::length;
    head.content_length = *length;
  }
  if (const auto expect = request.headers.find("Expect"); expect && !head.http_1_0) {
    head.expects_continue = head.framing != Framing::none && same(*expect, "100-continue");
  }
  if (Result<void> split = split_target(parser.target(), request); !split) return fail(std::move(split.error()));
  parser.forget_request();
  return head;
}

Result<ChunkStep> RequestParser::parse_chunks(std::string_view raw, std::span<char> out) {
  Parser& parser = *state_->parser;
  parser.set_output(out);
  ChunkStep step;
  while (!parser.is_done()) {
    const std::string_view rest = raw.substr(step.consumed);
    if (state_->starved && rest.size() < kShortestEnd) break;
    ErrorCode error;
    const std::size_t used = parser.put(asio::buffer(rest), error);
    step.consumed += used;
    state_->starved = error == http::error::need_more;
    if (state_->starved) break;
    // The last chunk and the trailer are one step to Beast, which lets a trailer's lines go on on the next.
    if (error || (parser.is_done() && !has_sound_lines(rest.substr(0, used)))) return invalid_chunk();
    if (used == 0) break;  // the output is full
  }
  step.produced = parser.produced();
  step.finished = parser.is_done();
  return step;
}

std::optional<std::size_t> header_length(std::string_view bytes, std::size_t searched) {
  constexpr std::string_view kEnd = "\r\n\r\n";
  const std::size_t found = bytes.find(kEnd, searched - std::min(searched, kEnd.size() - 1));
  if (found == std::string_view::npos) return std::nullopt;
  return found + kEnd.size();
}

bool sends_body(const Response& response, ResponseFraming framing) {
  return !framing.head && may_have_body(response.status) && response.size() > 0;
}

void write_head(const Response& response, ResponseFraming framing, std::string& out) {
  out.clear();
  const beast::string_view reason = http::obsolete_reason(static_cast<http::status>(response.status));
  fmt::format_to(std::back_inserter(out), "HTTP/1.1 {} {}\r\n", response.status,
                 std::string_view(reason.data(), reason.size()));
  std::string_view own_length;
  for (const auto& [name, value] : response.headers.all()) {
    if (same(name, "Content-Length")) {
      own_length = value;
    } else if (!same(name, "Transfer-Encoding") && !same(name, "Connection")) {
      append_header(name, value, out);
    }
  }
  if (response.stream != nullptr) {
    if (!framing.http_1_0) append_header("Transfer-Encoding", "chunked", out);
  } else if (framing.head && response.size() == 0 && is_decimal(own_length)) {
    append_header("Content-Length", own_length, out);
  } else if (may_have_body(response.status)) {
    fmt::format_to(std::back_inserter(out), "Content-Length: {}\r\n", response.size());
  }
  if (!framing.keep_alive) {
    out.append("Connection: close\r\n");
  } else if (framing.http_1_0) {
    out.append("Connection: keep-alive\r\n");
  }
  out.append("\r\n");
}

}  // namespace infra::net
