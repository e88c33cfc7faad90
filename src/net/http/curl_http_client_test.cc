#include "net/http/curl_http_client.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <cstdlib>
#include <thread>

#include "core/operator_error_codes.h"

namespace infra::net {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

// What a scripted server does with one request.
struct Reply {
  std::string bytes;
  bool then_close = false;
  bool then_stall = false;
};

// Says exactly the bytes it is told to, as no well-behaved server would.
class ScriptedServer {
 public:
  explicit ScriptedServer(std::function<Reply(const std::string& request)> script)
      : script_(std::move(script)), acceptor_(context_, {asio::ip::address_v4::loopback(), 0}) {
    asio::co_spawn(context_, accept(), asio::detached);
    thread_ = std::thread([this] { context_.run(); });
  }
  ~ScriptedServer() {
    context_.stop();
    thread_.join();
  }
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  [[nodiscard]] std::string url(std::string_view path = "/") const {
    return "http://127.0.0.1:" + std::to_string(port_) + std::string(path);
  }
  [[nodiscard]] int connections() const { return connections_; }
  void wait_until_asked() { asked_.wait(false); }
  void wait_until_left() { left_.wait(false); }

 private:
  Task<void> accept() {
    while (true) {
      auto socket = co_await acceptor_.async_accept(asio::use_awaitable);
      ++connections_;
      asio::co_spawn(context_, serve(std::move(socket)), asio::detached);
    }
  }

  Task<void> serve(tcp::socket socket) {
    std::string buffer;
    while (true) {
      const auto [error, head] = co_await asio::async_read_until(socket, asio::dynamic_buffer(buffer), "\r\n\r\n",
                                                                 asio::as_tuple(asio::use_awaitable));
      if (error) break;
      std::size_t body = 0;
      if (const auto at = buffer.find("Content-Length: "); at < head) body = std::stoul(buffer.substr(at + 16));
      while (buffer.size() < head + body) {
        const auto old = buffer.size();
        buffer.resize(head + body);
        buffer.resize(old + co_await socket.async_read_some(asio::buffer(buffer.data() + old, head + body - old),
                                                            asio::use_awaitable));
      }
      const auto reply = script_(buffer.substr(0, head + body));
      buffer.erase(0, head + body);
      co_await asio::async_write(socket, asio::buffer(reply.bytes), asio::as_tuple(asio::use_awaitable));
      asked_ = true;
      asked_.notify_all();
      if (reply.then_close) co_return;
      if (!reply.then_stall) continue;
      char byte = 0;
      co_await socket.async_read_some(asio::buffer(&byte, 1), asio::as_tuple(asio::use_awaitable));
      break;
    }
    left_ = true;
    left_.notify_all();
  }

  std::function<Reply(const std::string&)> script_;
  asio::io_context context_{1};
  tcp::acceptor acceptor_;
  std::uint16_t port_ = acceptor_.local_endpoint().port();
  std::atomic<int> connections_{0};
  std::atomic<bool> asked_{false}, left_{false};
  std::thread thread_;
};

Reply ok(std::string_view body) {
  return {"HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\nX-Kind: test\r\n\r\n" +
          std::string(body)};
}

Task<void> send_into(HttpClient& client, ClientRequest request, Result<Response>& out) {
  out = co_await client.send(std::move(request));
}

class HttpClientTest : public testing::Test {
 protected:
  Result<Response> send(ClientRequest request) {
    Result<Response> out;
    loops_.run_blocking(send_into(*client_, std::move(request), out));
    return out;
  }
  Result<Response> get(std::string url) { return send({.url = std::move(url)}); }

  EventLoops loops_{1, 1};
  std::unique_ptr<CurlHttpClient> client_ = std::make_unique<CurlHttpClient>(loops_);
};

TEST_F(HttpClientTest, SendsWhatItIsGivenAndNothingElse) {
  std::string seen;
  ScriptedServer server([&](const std::string& request) {
    seen = request;
    return ok("answer");
  });
  ClientRequest request{.method = "POST", .url = server.url("/a/../b?c=%2F"), .body = "{\"k\":1}"};
  request.headers.add("X-Empty", "");
  request.headers.add("X-Key", "v");
  const auto answer = send(request);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->body, "answer");
  EXPECT_EQ(answer->headers.find("x-kind"), "test");
  EXPECT_TRUE(seen.starts_with("POST /a/../b?c=%2F HTTP/1.1\r\n")) << seen;
  EXPECT_TRUE(seen.ends_with("\r\n\r\n{\"k\":1}")) << seen;
  EXPECT_NE(seen.find("X-Empty:\r\n"), std::string::npos) << seen;
  EXPECT_NE(seen.find("X-Key: v\r\n"), std::string::npos) << seen;
  for (const auto* header : {"Expect", "Accept", "Content-Type"})
    EXPECT_EQ(seen.find(header), std::string::npos) << seen;

  EXPECT_EQ(send({.url = server.url(),
                  .headers =
                      [] {
                        Headers headers;
                        headers.add("X", "a\r\nInjected: b");
                        return headers;
                      }()})
                .error()
                .kind,
            ErrorKind::invalid);
}

TEST_F(HttpClientTest, KeepsItsConnection) {
  ScriptedServer server([](const std::string&) { return ok("x"); });
  for (int i = 0; i < 20; ++i) ASSERT_EQ(get(server.url()).value().body, "x");
  EXPECT_EQ(server.connections(), 1);
  EXPECT_EQ(send({.method = "HEAD", .url = server.url()}).value().body, "");
}

TEST_F(HttpClientTest, ConnectsAnewWhenTheServerHungUp) {
  ScriptedServer server([](const std::string&) {
    auto reply = ok("x");
    reply.then_close = true;
    return reply;
  });
  for (int i = 0; i < 5; ++i) ASSERT_EQ(get(server.url()).value().body, "x");
  EXPECT_EQ(server.connections(), 5);
}

TEST_F(HttpClientTest, AnyStatusIsAnAnswerAndNoRedirectIsFollowed) {
  std::string status;
  ScriptedServer server([&](const std::string&) {
    return Reply{"HTTP/1.1 100 Continue\r\nX-Early: 1\r\n\r\nHTTP/1.1 " + status +
                 "\r\nLocation: /elsewhere\r\nContent-Length: 2\r\n\r\nno"};
  });
  for (const int code : {301, 404, 503}) {
    status = std::to_string(code) + " Whatever";
    const auto answer = get(server.url());
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->status, code);
    EXPECT_EQ(answer->body, "no");
    EXPECT_FALSE(answer->headers.find("X-Early"));
  }
}

TEST_F(HttpClientTest, TimesOutWithoutNamingSecrets) {
  ScriptedServer server(
      [](const std::string&) { return Reply{"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", false, true}; });
  auto url = server.url("/?token=secret");
  url.insert(7, "user:secret@");
  const auto answer = send({.url = url, .timeout = milliseconds(100)});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, ErrorKind::timeout);
  EXPECT_EQ(answer.error().code, "http_timeout");
  EXPECT_EQ(answer.error().message.find("secret"), std::string::npos) << answer.error().message;
  EXPECT_NE(answer.error().message.find(server.url("")), std::string::npos) << answer.error().message;
}

TEST_F(HttpClientTest, TimesOutWhileItConnects) {
  // A full backlog leaves further connections half open.
  asio::io_context context;
  tcp::acceptor acceptor(context);
  acceptor.open(tcp::v4());
  acceptor.bind({asio::ip::address_v4::loopback(), 0});
  acceptor.listen(0);
  std::vector<tcp::socket> fillers;
  for (int i = 0; i < 4; ++i) {
    auto& filler = fillers.emplace_back(context, tcp::v4());
    filler.non_blocking(true);
    const auto peer = acceptor.local_endpoint();
    ::connect(filler.native_handle(), peer.data(), static_cast<socklen_t>(peer.size()));  // Asio's own would wait
  }
  const auto answer = send({.url = "http://127.0.0.1:" + std::to_string(acceptor.local_endpoint().port()),
                            .connect_timeout = milliseconds(100)});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, ErrorKind::timeout);
}

TEST_F(HttpClientTest, SaysWhyThereIsNoAnswer) {
  std::string refused;
  {
    ScriptedServer gone([](const std::string&) { return ok(""); });
    refused = gone.url();
  }
  ScriptedServer cut(
      [](const std::string&) { return Reply{"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", true}; });
  ScriptedServer mute([](const std::string&) { return Reply{"", true}; });
  for (const auto& url :
       {refused, cut.url(), mute.url(), std::string("ftp://127.0.0.1/"), std::string("file:///etc/passwd")}) {
    const auto answer = get(url);
    ASSERT_FALSE(answer) << url;
    EXPECT_EQ(answer.error().kind, ErrorKind::unavailable) << url;
    EXPECT_EQ(answer.error().code, url == refused ? "http_unreachable" : "http_unavailable") << url;
  }
}

TEST_F(HttpClientTest, TakesNoProxyFromTheEnvironment) {
  ::setenv("http_proxy", "http://127.0.0.1:1", 1);
  ScriptedServer server([](const std::string&) { return ok("direct"); });
  const auto answer = get(server.url());
  ::unsetenv("http_proxy");
  EXPECT_EQ(answer.value().body, "direct");
}

TEST_F(HttpClientTest, BoundsTheAnswer) {
  ScriptedServer server([](const std::string&) { return ok(std::string(100'000, 'x')); });
  EXPECT_EQ(send({.url = server.url(), .max_response_bytes = 100'000}).value().body.size(), 100'000u);
  EXPECT_EQ(send({.url = server.url(), .max_response_bytes = 99'999}).error().kind, ErrorKind::too_large);
}

TEST_F(HttpClientTest, StreamsTheAnswerAsItArrives) {
  ScriptedServer server([](const std::string&) {
    return Reply{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n", false, true};
  });
  std::string heard;
  ClientRequest request{.url = server.url()};
  request.on_header = [&](const Response& head) { heard += std::to_string(head.status) + ":"; };
  // The server says no more, so that only a piece passed on at once can end the call before its time-out.
  request.on_body = [&](std::string_view piece) {
    heard += piece;
    return false;
  };
  EXPECT_EQ(send(request).error().kind, ErrorKind::unavailable);
  EXPECT_EQ(heard, "200:one");
  server.wait_until_left();
}

// A body out of a text, told a part at a time, as a thread of the pool would: later, and on the caller's loop.
struct Pieces {
  std::string text;
  std::uint64_t size = text.size();  // as it is told
  std::size_t fails_at = std::string::npos;
  int opened = 0;
  std::size_t largest_asked = 0;

  [[nodiscard]] std::function<ByteSourcePtr()> opener() {
    return [this]() -> ByteSourcePtr {
      ++opened;
      return std::make_shared<Source>(*this);
    };
  }

 private:
  class Source final : public ByteSource {
   public:
    explicit Source(Pieces& pieces) : pieces_(pieces) {}
    [[nodiscard]] std::uint64_t size() const override { return pieces_.size; }
    Task<Result<std::size_t>> read(std::span<char> buffer) override {
      pieces_.largest_asked = std::max(pieces_.largest_asked, buffer.size());
      co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
      if (read_ >= pieces_.fails_at) co_return fail(errors::file_unreadable, "It can't be read.");
      const std::size_t count = pieces_.text.copy(buffer.data(), std::min(buffer.size(), std::size_t{50'000}), read_);
      read_ += count;
      co_return count;
    }

   private:
    Pieces& pieces_;
    std::size_t read_ = 0;
  };
};

std::string patterned(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 7919 >> 8);
  return bytes;
}

TEST_F(HttpClientTest, SendsABodyPieceByPiece) {
  std::string seen;
  ScriptedServer server([&](const std::string& request) {
    seen = request;
    return ok("x");
  });
  for (const std::size_t size : {std::size_t{1}, kBodyPieceBytes, std::size_t{3'000'001}}) {
    Pieces body{.text = patterned(size)};
    const auto answer = send({.method = "PUT", .url = server.url(), .open_body = body.opener()});
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_TRUE(seen.starts_with("PUT / HTTP/1.1\r\n")) << seen.substr(0, 100);
    EXPECT_NE(seen.find("Content-Length: " + std::to_string(size) + "\r\n"), std::string::npos);
    EXPECT_TRUE(seen.substr(seen.find("\r\n\r\n") + 4) == body.text) << size;
    EXPECT_LE(body.largest_asked, kBodyPieceBytes);
    EXPECT_EQ(body.opened, 1);
  }
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(HttpClientTest, ABodyThatGrewIsSentAsFarAsItsSize) {
  std::string seen;
  ScriptedServer server([&](const std::string& request) {
    seen = request;
    return ok("x");
  });
  Pieces body{.text = patterned(200'000), .size = 70'000};
  ASSERT_TRUE(send({.method = "PUT", .url = server.url(), .open_body = body.opener()}));
  EXPECT_TRUE(seen.ends_with("\r\n\r\n" + body.text.substr(0, 70'000)));
}

TEST_F(HttpClientTest, ABodyThatEndsTooEarlyOrFailsEndsTheCall) {
  ScriptedServer server([](const std::string&) { return ok("x"); });
  Pieces cut{.text = patterned(200'000), .size = 200'001};
  EXPECT_EQ(send({.method = "PUT", .url = server.url(), .open_body = cut.opener()}).error().code, "http_body_short");
  Pieces broken{.text = patterned(200'000), .fails_at = 100'000};
  EXPECT_EQ(send({.method = "PUT", .url = server.url(), .open_body = broken.opener()}).error().code, "file_unreadable");
  EXPECT_EQ(get(server.url()).value().body, "x") << "other calls go on";
}

TEST_F(HttpClientTest, ABodyIsOpenedAnewForANewConnection) {
  std::string seen;
  int requests = 0;
  ScriptedServer server([&](const std::string& request) {
    seen = request;
    if (++requests == 2) return Reply{.bytes = "", .then_close = true};  // the kept connection dies under it
    return ok("x");
  });
  Pieces body{.text = patterned(100'000)};
  ASSERT_TRUE(send({.method = "PUT", .url = server.url(), .open_body = body.opener()}));
  EXPECT_EQ(body.opened, 1);
  const auto answer = send({.method = "PUT", .url = server.url(), .open_body = body.opener()});
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(requests, 3);
  EXPECT_EQ(body.opened, 3);
  EXPECT_TRUE(seen.ends_with("\r\n\r\n" + body.text));
}

TEST_F(HttpClientTest, AnAnswerBeforeTheBodysEndIsAnAnswer) {
  asio::io_context context;
  tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
  std::thread server([&] {
    tcp::socket socket = acceptor.accept();
    std::string head;
    asio::read_until(socket, asio::dynamic_buffer(head), "\r\n\r\n");
    asio::write(socket, asio::buffer(std::string("HTTP/1.1 403 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")));
    socket.shutdown(tcp::socket::shutdown_send);
    boost::system::error_code ended;
    std::string rest(4096, '\0');
    while (!ended) socket.read_some(asio::buffer(rest), ended);
  });
  Pieces body{.text = patterned(20'000'000)};
  const auto url = "http://127.0.0.1:" + std::to_string(acceptor.local_endpoint().port());
  const auto answer = send({.method = "PUT", .url = url, .open_body = body.opener()});
  EXPECT_TRUE(answer) << answer.error().message;
  if (answer) EXPECT_EQ(answer->status, 403);
  server.join();
}

TEST_F(HttpClientTest, ManyCallsRunAtOnce) {
  ScriptedServer server([](const std::string& request) { return ok(request.substr(5, 3)); });
  std::vector<Result<Response>> answers(50);
  const auto all = [](HttpClient& client, const ScriptedServer& target,
                      std::vector<Result<Response>>& out) -> Task<void> {
    const auto executor = co_await asio::this_coro::executor;
    asio::steady_timer done(executor, asio::steady_timer::time_point::max());
    std::size_t left = out.size();
    for (std::size_t i = 0; i < out.size(); ++i) {
      asio::co_spawn(executor, send_into(client, {.url = target.url("/" + std::to_string(100 + i))}, out[i]),
                     [&](std::exception_ptr) {
                       if (--left == 0) done.cancel();
                     });
    }
    co_await done.async_wait(asio::as_tuple(asio::use_awaitable));
  };
  loops_.run_blocking(all(*client_, server, answers));
  for (std::size_t i = 0; i < answers.size(); ++i) {
    ASSERT_TRUE(answers[i]) << answers[i].error().message;
    EXPECT_EQ(answers[i]->body, std::to_string(100 + i));
  }
}

TEST_F(HttpClientTest, ACancelledCallLeavesTheServer) {
  ScriptedServer server([](const std::string&) { return Reply{"", false, true}; });
  const auto race = [](HttpClient& client, std::string url) -> Task<void> {
    using namespace asio::experimental::awaitable_operators;
    asio::steady_timer soon(co_await asio::this_coro::executor, milliseconds(50));
    const auto first = co_await (client.send({.url = std::move(url)}) || soon.async_wait(asio::use_awaitable));
    EXPECT_EQ(first.index(), 1u);
  };
  loops_.run_blocking(race(*client_, server.url()));
  server.wait_until_left();
}

TEST_F(HttpClientTest, DestroyingTheClientEndsItsCalls) {
  ScriptedServer server([](const std::string&) { return Reply{"", false, true}; });
  Result<Response> out;
  std::thread caller([&] { out = get(server.url()); });
  server.wait_until_asked();
  client_.reset();
  caller.join();
  ASSERT_FALSE(out);
  EXPECT_EQ(out.error().kind, ErrorKind::unavailable);
}

TEST_F(HttpClientTest, StoppingTheLoopsDropsTheirCalls) {
  ScriptedServer server([](const std::string&) { return Reply{"", false, true}; });
  loops_.spawn("test", [](HttpClient& client, std::string url) -> Task<void> {
    co_await client.send({.url = std::move(url)});
    ADD_FAILURE() << "answered";
  }(*client_, server.url()));
  server.wait_until_asked();
  loops_.stop();
  server.wait_until_left();
}

}  // namespace
}  // namespace infra::net
