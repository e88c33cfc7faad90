#include "net/http/beast_http_server.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "net/http/test_http_client.h"
#include "net/http/test_http_server.h"

namespace infra::net {
namespace {

using std::chrono::seconds;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

TEST_F(HttpServerTest, AnswersRequestAfterRequestOnOneConnection) {
  start();
  TestClient client(server_->port());
  for (int i = 0; i < 3; ++i) {
    const std::string answer = client.ask(kHello);
    EXPECT_EQ(answer, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
  }
  EXPECT_THAT(client.ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"), EndsWith("\r\n\r\nabc"));
}

TEST_F(HttpServerTest, HandlerSeesTheRequestAsItWasSent) {
  start();
  TestClient client(server_->port());
  EXPECT_THAT(client.ask("PUT /describe?a=%20&b HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab"),
              EndsWith("PUT /describe ? a=%20&b from 127.0.0.1 length 2"));
  EXPECT_THAT(client.ask("GET http://host:1/describe?x HTTP/1.1\r\nHost: a\r\n\r\n"),
              EndsWith("GET /describe ? x from 127.0.0.1 length 0"));
}

TEST_F(HttpServerTest, PipelinedRequestsAreAnsweredInOrder) {
  start();
  TestClient client(server_->port());
  std::string requests;
  for (int i = 0; i < 200; ++i) {
    const std::string body = fmt::format("body {}", i);
    requests += fmt::format("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{}\r\n", body.size(), body);
  }
  ASSERT_TRUE(client.send(requests));
  for (int i = 0; i < 200; ++i) ASSERT_THAT(client.receive_response(), EndsWith(fmt::format("\r\n\r\nbody {}", i)));
}

TEST_F(HttpServerTest, RequestArrivingByteByByteIsUnderstood) {
  start();
  TestClient client(server_->port());
  for (const char c : std::string_view("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                                       "3\r\nabc\r\n1;x=y\r\nd\r\n0\r\nTrailer: t\r\n\r\n")) {
    ASSERT_TRUE(client.send(std::string_view(&c, 1)));
  }
  EXPECT_THAT(client.receive_response(), EndsWith("\r\n\r\nabcd"));
  EXPECT_THAT(client.ask(kHello), EndsWith("hello"));
}

TEST_F(HttpServerTest, LargeBodiesArriveWholeInBothFramings) {
  start();
  constexpr std::size_t kBytes = 3'000'000;
  TestClient client(server_->port());
  client.send(fmt::format("POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", kBytes));
  client.send(std::string(kBytes, 'x'));
  EXPECT_THAT(client.receive_response(), EndsWith("\r\n\r\n3000000"));

  client.send("POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
  std::string chunks;
  for (std::size_t sent = 0; sent < kBytes; sent += 7'500) {
    chunks += fmt::format("{:x}\r\n{}\r\n", 7'500, std::string(7'500, 'y'));
  }
  client.send(chunks + "0\r\n\r\n");
  EXPECT_THAT(client.receive_response(), EndsWith("\r\n\r\n3000000"));
}

TEST_F(HttpServerTest, LargeAnswerReachesASlowReaderWhole) {
  start();
  TestClient client(server_->port());
  const std::string answer = client.ask("GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_GT(answer.size(), 8U * 1024 * 1024);
}

TEST_F(HttpServerTest, OldClientsAndTheirWishesAreRespected) {
  start();
  TestClient old(server_->port());
  old.send("GET /hello HTTP/1.0\r\n\r\n");
  EXPECT_THAT(old.receive_to_end(), EndsWith("Connection: close\r\n\r\nhello"));
  TestClient staying(server_->port());
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(staying.ask("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"),
                HasSubstr("Connection: keep-alive\r\n"));
  }
  TestClient leaving(server_->port());
  leaving.send("GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(leaving.receive_to_end(), EndsWith("Connection: close\r\n\r\nhello"));
}

TEST_F(HttpServerTest, HeadHasTheLengthButNotTheBody) {
  start();
  TestClient client(server_->port());
  client.send("HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(client.receive_response(false), "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
  client.send("HEAD /split HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(client.receive_response(false), HasSubstr("Content-Length: 999\r\n"));
  EXPECT_EQ(client.ask("GET /empty HTTP/1.1\r\nHost: a\r\n\r\n"), "HTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_THAT(client.ask(kHello), EndsWith("hello"));
}

TEST_F(HttpServerTest, HandlersCannotSplitTheResponse) {
  start();
  TestClient client(server_->port());
  EXPECT_EQ(client.ask("GET /split HTTP/1.1\r\nHost: a\r\n\r\n"),
            "HTTP/1.1 200 OK\r\nX-Copied: a  X-Injected: b\r\nContent-Length: 0\r\n\r\n");
}

TEST_F(HttpServerTest, WhatAHandlerThrowsBecomesAnAnswer) {
  start();
  TestClient client(server_->port());
  EXPECT_THAT(client.ask("GET /throw HTTP/1.1\r\nHost: a\r\n\r\n"), StartsWith("HTTP/1.1 500 "));
  EXPECT_THAT(client.ask(kHello), EndsWith("hello"));
}

TEST_F(HttpServerTest, SlowHeaderTimesOutFromItsFirstByte) {
  start({.header_timeout = milliseconds(150)});
  TestClient client(server_->port());
  EXPECT_THAT(client.ask(kHello), EndsWith("hello"));
  ASSERT_TRUE(client.send("GET /hello HTTP/1.1\r\n"));
  std::atomic<bool> ended = false;
  std::thread trickle([&] {  // each byte comes well within the limit; all together do not
    while (!ended && client.send("x")) std::this_thread::sleep_for(milliseconds(20));
  });
  EXPECT_THAT(client.receive_response(), EndsWith("Connection: close\r\n\r\nheader_timeout"));
  ended = true;
  trickle.join();
}

TEST_F(HttpServerTest, IdleConnectionIsClosedQuietly) {
  start({.first_request_timeout = milliseconds(50), .idle_timeout = milliseconds(50)});
  TestClient used(server_->port());
  TestClient fresh(server_->port());
  EXPECT_THAT(used.ask(kHello), EndsWith("hello"));
  EXPECT_THAT(used.receive_to_end(), IsEmpty());
  EXPECT_THAT(fresh.receive_to_end(), IsEmpty());
}

TEST_F(HttpServerTest, StalledBodyTimesOut) {
  start({.pace = {.grace = milliseconds(50)}});
  TestClient client(server_->port());
  client.send("POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
  EXPECT_THAT(client.receive_response(), EndsWith("body_timeout"));
}

TEST_F(HttpServerTest, TooLargeHeaderIsRefused) {
  start({.max_header_bytes = 4096});
  TestClient fits(server_->port());
  EXPECT_THAT(fits.ask(fmt::format("GET /hello HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", std::string(4000, 'x'))),
              EndsWith("hello"));
  TestClient client(server_->port());
  client.send(fmt::format("GET /hello HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", std::string(100'000, 'x')));
  EXPECT_THAT(client.receive_to_end(), EndsWith("Connection: close\r\n\r\nheader_too_large"));
}

TEST_F(HttpServerTest, ClientThatBreaksOffEndsTheBodyWithAnError) {
  start();
  TestClient client(server_->port());
  client.send("POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
  client.reset();
  EXPECT_EQ(read_error_.get_future().get(), "body_incomplete");
}

TEST_F(HttpServerTest, ClientThatOnlyStopsSendingStillGetsTheAnswer) {
  start();
  TestClient client(server_->port());
  client.send("POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc");
  client.finish_sending();
  EXPECT_THAT(client.receive_to_end(), EndsWith("body_incomplete"));
}

TEST_F(HttpServerTest, HandlerGoesOnWhenItsClientIsGone) {
  start();
  TestClient client(server_->port());
  client.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
  wait_for(entered_);
  client.reset();
  EXPECT_EQ(server_->requests_in_flight(), 1U);
  gate_->notify();
  server_->stop_accepting();
  EXPECT_TRUE(drained(in(seconds(20))));
  EXPECT_EQ(server_->requests_in_flight(), 0U);
}

TEST_F(HttpServerTest, DrainingAnswersWhatIsInFlightAndClosesWhatIsIdle) {
  start();
  TestClient idle(server_->port());
  EXPECT_THAT(idle.ask(kHello), EndsWith("hello"));
  TestClient busy(server_->port());
  busy.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
  wait_for(entered_);
  server_->stop_accepting();
  EXPECT_THAT(idle.receive_to_end(), IsEmpty());
  EXPECT_FALSE(drained(std::chrono::steady_clock::now() + milliseconds(20)));
  gate_->notify();
  EXPECT_THAT(busy.receive_to_end(), EndsWith("Connection: close\r\n\r\nwaited"));
  busy.close();
  EXPECT_TRUE(drained(in(seconds(20))));
  // The port is free again at once.
  BeastHttpServer next(
      loops_, {.port = server_->port()}, [](Request&) -> Task<Response> { co_return Response{}; }, answer_error);
  EXPECT_TRUE(next.start());
}

TEST_F(HttpServerTest, ClosingWithARequestInFlightLeavesItsHandlerAlone) {
  start();
  TestClient client(server_->port());
  client.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
  wait_for(entered_);
  server_.reset();
  EXPECT_THAT(client.receive_response(), IsEmpty());
  gate_->notify();
}

TEST_F(HttpServerTest, LoopsThatStopFirstTakeTheConnectionsWithThem) {
  start();
  TestClient client(server_->port());
  client.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
  wait_for(entered_);
  loops_.stop();
  EXPECT_EQ(server_->requests_in_flight(), 0U);
  server_.reset();
}

TEST_F(HttpServerTest, PortInUseIsSaidInASentence) {
  start();
  BeastHttpServer second(
      loops_, {.port = server_->port()}, [](Request&) -> Task<Response> { co_return Response{}; }, answer_error);
  const Result<void> started = second.start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().kind, ErrorKind::unavailable);
  EXPECT_EQ(started.error().message,
            fmt::format("Port {} is in use by another program; choose another with PORT.", server_->port()));
}

TEST_F(HttpServerTest, InvalidAddressIsSaidInASentence) {
  BeastHttpServer server(
      loops_, {.address = "localhost:80"}, [](Request&) -> Task<Response> { co_return Response{}; }, answer_error);
  const Result<void> started = server.start();
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error().message, StartsWith("\"localhost:80\" is no IP address"));
}

TEST_F(HttpServerTest, ListensOnBothFamiliesAndShowsIpv4PeersAsSuch) {
  start({.address = "::"});
  TestClient client(server_->port());
  EXPECT_THAT(client.ask("GET /describe HTTP/1.1\r\nHost: a\r\n\r\n"), HasSubstr("from 127.0.0.1 "));
}

TEST_F(HttpServerTest, ServesASocketThatListensAlready) {
  const int listening = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::bind(listening, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(::listen(listening, 8), 0);
  server_ = std::make_unique<BeastHttpServer>(
      loops_, HttpServerOptions{}, [this](Request& request) { return handle(request); }, answer_error);
  ASSERT_TRUE(server_->start_on(listening));
  TestClient client(server_->port());
  EXPECT_THAT(client.ask(kHello), EndsWith("hello"));
}

TEST_F(HttpServerTest, ManyConnectionsFromManyThreads) {
  start();
  constexpr int kThreads = 8;
  constexpr int kConnections = 10;
  constexpr int kRequests = 50;
  std::atomic<int> right = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      for (int c = 0; c < kConnections; ++c) {
        TestClient client(server_->port());
        for (int r = 0; r < kRequests; ++r) {
          const std::string body = fmt::format("{} {} {}", i, c, r);
          const std::string request =
              fmt::format("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{}", body.size(), body);
          if (client.ask(request).ends_with("\r\n\r\n" + body)) ++right;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, kThreads * kConnections * kRequests);
}

}  // namespace
}  // namespace infra::net
