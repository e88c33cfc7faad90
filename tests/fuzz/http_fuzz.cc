// A connection of the HTTP server, given a stream of bytes. However the stream is cut, the same requests are seen and
// the same answers sent; and all requests are what two others make of the bytes: Beast's own parser, fed at once, and a
// reading of RFC 9112 that forgives nothing, because what one server takes and the next one reads otherwise is request
// smuggling.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fuzz/strict_http.h"
#include "fuzz/target.h"
#include "net/http/http_server_connection.h"

namespace infra::fuzz {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using net::Request;
using net::Response;

struct Seen {
  std::string method, path, query, body;
  std::vector<net::Header> headers;
  bool whole = false;  // the body came to its end
  bool operator==(const Seen&) const = default;
};

struct Served {
  std::vector<Seen> requests;
  std::string answers;
};

std::string without(std::string text, std::string_view part) {
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part)) text.erase(at, part.size());
  return text;
}

// What a client sees that sends these bytes, reads all, and then closes its side.
class World {
 public:
  explicit World(Cuts cuts) : cuts_(cuts) {
    std::array<int, 2> ends{};
    require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) == 0,
            "there are sockets");
    client_ = ends[0];
    net::ServerSocket socket(loop_.get_executor());
    socket.assign(asio::ip::tcp::v4(), ends[1]);
    const auto connection =
        std::make_shared<net::Connection>(server_, lane_, std::move(socket), asio::ip::tcp::endpoint());
    connection->enter();
    connection_ = connection;
    asio::co_spawn(loop_, run(connection), asio::detached);
  }
  ~World() { ::close(client_); }
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  Served send(std::string_view bytes) {
    while (!bytes.empty()) {
      // A server that has closed takes no more.
      const std::string_view piece = cuts_.take(bytes);
      if (::send(client_, piece.data(), piece.size(), MSG_NOSIGNAL) < 0) break;
      turn();
    }
    ::shutdown(client_, SHUT_WR);
    constexpr int kMostTurns = 10'000;
    for (int i = 0; i < kMostTurns && !connection_.expired(); ++i) turn();
    require(connection_.expired(), "a connection ends with its client");
    // Where it is sent depends on what has come of the body.
    served_.answers = without(std::move(served_.answers), "HTTP/1.1 100 Continue\r\n\r\n");
    return std::move(served_);
  }

 private:
  static Task<void> run(std::shared_ptr<net::Connection> connection) { co_await connection->run(); }

  void turn() {
    loop_.restart();
    loop_.poll();
    std::array<char, 4096> piece{};
    for (ssize_t got = 1; got > 0;) {
      got = ::recv(client_, piece.data(), piece.size(), 0);
      if (got > 0) served_.answers.append(piece.data(), static_cast<std::size_t>(got));
    }
  }

  Task<Response> answer(Request& request) {
    served_.requests.push_back({.method = request.method,
                                .path = request.path,
                                .query = request.query,
                                .body = {},
                                .headers = request.headers.all()});
    std::array<char, 256> room{};
    std::string body;
    while (true) {
      const auto got = co_await request.body->read(std::span(room).first(std::min(cuts_.next(), room.size())));
      if (!got) co_return Response{.status = 400, .headers = {}, .body = got.error().code};
      if (*got == 0) break;
      body.append(room.data(), *got);
    }
    Seen& seen = served_.requests.back();
    seen.body = body;
    seen.whole = true;
    co_return Response{.status = 200, .headers = {}, .body = std::move(body)};
  }

  Cuts cuts_;
  Served served_;
  asio::io_context loop_{1};
  std::shared_ptr<net::ServerShared> server_ = std::make_shared<net::ServerShared>(
      net::HttpServerOptions{}, [this](Request& request) { return answer(request); },
      [](const Error& error) { return Response{.status = 400, .headers = {}, .body = error.code}; });
  std::shared_ptr<net::Lane> lane_ = std::make_shared<net::Lane>(net::Lane{.loop = loop_});
  std::weak_ptr<net::Connection> connection_;
  int client_ = -1;
};

using BeastParser = http::request_parser<http::string_body>;

// Feeds the parser until it has its header, or all; how much it took.
std::size_t feed(BeastParser& parser, std::string_view bytes, bool whole) {
  parser.eager(whole);
  boost::system::error_code error;
  std::size_t used = 0;
  while (!(whole ? parser.is_done() : parser.is_header_done()) && used < bytes.size()) {
    const std::size_t more = parser.put(asio::const_buffer(bytes.data() + used, bytes.size() - used), error);
    used += more;
    if (error || more == 0) break;
  }
  return used;
}

// Takes one request off the front of `bytes`, as Beast alone reads it.
void compare_with_beast(const Seen& seen, std::string_view& bytes) {
  BeastParser parser;
  parser.body_limit(boost::none);
  parser.header_limit(UINT32_MAX);
  std::size_t used = feed(parser, bytes, false);
  require(parser.is_header_done(), "a header that is served is one to Beast");
  const auto& message = parser.get();
  const std::string_view method(message.method_string().data(), message.method_string().size());
  require(method == seen.method, "the method is Beast's");
  const std::string_view target(message.target().data(), message.target().size());
  if (target.starts_with('/')) {
    require(target == seen.path || target == seen.path + "?" + seen.query, "path and query are Beast's target");
  }
  require(std::cmp_equal(std::distance(message.begin(), message.end()), seen.headers.size()),
          "there are as many headers as Beast sees");
  for (const auto& [name, value] : seen.headers) {
    const auto range = message.equal_range(boost::beast::string_view(name.data(), name.size()));
    require(std::any_of(range.first, range.second, [&](const auto& field) { return field.value() == value; }),
            "each header has a value that Beast sees");
  }
  if (!seen.whole) return;
  used += feed(parser, bytes.substr(used), true);
  require(parser.is_done(), "a body that is served is whole to Beast");
  require(message.body() == seen.body, "the body is Beast's");
  bytes.remove_prefix(used);
}

void compare_with_the_standard(const Seen& seen, std::string_view& bytes) {
  const auto head = take_strict_head(bytes);
  require(head.has_value(), "a header that is served is sound by RFC 9112");
  require(head->method == seen.method, "the method is the standard's");
  require(!(head->content_length && head->chunked), "no request has both a Content-Length and chunks");
  if (!seen.whole) return;
  const auto body =
      head->chunked ? take_strict_chunks(bytes) : take_strict_length(bytes, head->content_length.value_or(0));
  require(body.has_value(), "a body that is served is sound by RFC 9112");
  require(*body == seen.body, "the body is the standard's");
}

void skip_empty_lines(std::string_view& bytes) {
  while (bytes.starts_with("\r\n")) bytes.remove_prefix(2);
}

void serve(std::string_view input) {
  const Cuts cuts(take_byte(input));
  const Served whole = World(Cuts::none()).send(input);
  const Served cut = World(cuts).send(input);
  require(whole.requests == cut.requests, "cuts change no request");
  require(whole.answers == cut.answers, "cuts change no answer");
  std::string_view for_beast = input;
  std::string_view for_the_standard = input;
  for (const Seen& seen : whole.requests) {
    skip_empty_lines(for_beast);
    skip_empty_lines(for_the_standard);
    compare_with_beast(seen, for_beast);
    compare_with_the_standard(seen, for_the_standard);
    if (!seen.whole) break;
    require(for_beast.size() == for_the_standard.size(), "all agree where a request ends");
  }
}

}  // namespace

INFRA_FUZZ_TARGET(http, serve);

}  // namespace infra::fuzz
