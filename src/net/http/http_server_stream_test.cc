// Answers without a known length: pieces as they come, and an end from each of the three who may end them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>

#include "net/http/test_http_client.h"
#include "net/http/test_http_server.h"

namespace infra::net {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

constexpr std::string_view kStream = "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n";

class HttpServerStreamTest : public HttpServerTest {
 protected:
  template <typename Condition>
  static void wait_until(Condition met) {
    const SteadyTime deadline = in(seconds(20));
    while (!met() && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
    EXPECT_TRUE(met());
  }
};

TEST_F(HttpServerStreamTest, PiecesGoOutAsTheyComeAndTheEndIsSaid) {
  start();
  TestClient client(server_->port());
  const std::string head = client.ask(kStream);
  EXPECT_EQ(head, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n");
  stream_->put("first");
  EXPECT_FALSE(client.is_silent(20'000));
  stream_->put("the second one");
  stream_->stop();
  EXPECT_EQ(client.receive_to_end(), "5\r\nfirst\r\ne\r\nthe second one\r\n0\r\n\r\n");
}

TEST_F(HttpServerStreamTest, AClientOfHttp10GetsItWithoutChunks) {
  start();
  TestClient client(server_->port());
  client.send("GET /stream HTTP/1.0\r\n\r\n");
  stream_->put("first");
  stream_->stop();
  EXPECT_EQ(client.receive_to_end(), "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nfirst");
}

TEST_F(HttpServerStreamTest, HeadHasNoBodyAndEndsTheStream) {
  start();
  TestClient client(server_->port());
  client.send("HEAD /stream HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(client.receive_to_end(), EndsWith("\r\n\r\n"));
  EXPECT_TRUE(stream_->stopped);
}

TEST_F(HttpServerStreamTest, AClientThatLeavesEndsIt) {
  start();
  {
    TestClient client(server_->port());
    client.ask(kStream);
  }
  wait_until([&] { return stream_->stopped.load() && server_->connections().all() == 0; });
}

// It is found with the next piece, and a heartbeat is one.
TEST_F(HttpServerStreamTest, SoDoesOneThatHasSentWhatNobodyReads) {
  start();
  {
    TestClient client(server_->port());
    client.ask(kStream);
    client.send("what nobody reads");
    EXPECT_TRUE(client.is_silent(50));
  }
  stream_->put("beat");
  stream_->put("beat");
  wait_until([&] { return stream_->stopped.load() && server_->connections().all() == 0; });
}

TEST_F(HttpServerStreamTest, AStopDoesNotWaitForIt) {
  start();
  TestClient client(server_->port());
  client.ask(kStream);
  wait_until([&] { return server_->requests_in_flight() == 0; });
  server_->stop_accepting();
  EXPECT_EQ(client.receive_to_end(), "0\r\n\r\n");
  client.close();
  EXPECT_TRUE(drained(in(seconds(20))));
}

TEST_F(HttpServerStreamTest, OneThatDoesNotReadCostsOnePieceAndIsClosed) {
  HttpServerOptions options;
  options.pace.grace = milliseconds(200);
  start(std::move(options));
  TestClient client(server_->port(), 1, 4096);
  client.ask(kStream);
  const int pieces = 400;
  for (int i = 0; i < pieces; ++i) stream_->put(std::string(StreamedBody::kMaxPiece, 'x'));
  wait_until([&] { return stream_->stopped.load(); });
  EXPECT_LT(stream_->taken, 200);  // what the kernel takes unread, and one more
}

// A quiet one is not idle.
TEST_F(HttpServerStreamTest, TimeOutsOfRequestsAreNotItsOwn) {
  HttpServerOptions options;
  options.idle_timeout = milliseconds(50);
  options.first_request_timeout = milliseconds(50);
  options.pace.grace = milliseconds(50);
  start(std::move(options));
  TestClient client(server_->port());
  client.ask(kStream);
  EXPECT_TRUE(client.is_silent(300));
  stream_->put("still here");
  stream_->stop();
  EXPECT_THAT(client.receive_to_end(), HasSubstr("still here"));
}

}  // namespace
}  // namespace infra::net
