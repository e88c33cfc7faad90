// Many connections, and clients that do not read or send: they cost themselves, and nobody else.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <thread>

#include "net/http/http_server.h"
#include "net/http/test_http_client.h"
#include "net/http/test_http_server.h"

namespace infra::net {
namespace {

using testing::EndsWith;
using testing::IsEmpty;
using testing::StartsWith;

constexpr ConnectionLimits kFew{.table = 40, .share = 8, .reserve = 6, .reserve_share = 3, .closing = 4};
constexpr std::string_view kKeyed = "GET /keyed HTTP/1.1\r\nHost: a\r\n\r\n";
constexpr std::string_view kHealth = "GET /health HTTP/1.1\r\nHost: a\r\n\r\n";
constexpr std::string_view kFile = "GET /file HTTP/1.1\r\nHost: a\r\n\r\n";

TEST_F(HttpServerTest, AFloodOfOneAddressLocksOutNobodyNotEvenItself) {
  start({.connections = kFew});
  TestClient client(server_->port());
  EXPECT_THAT(client.ask(kKeyed), EndsWith("keyed"));
  TestClient balancer(server_->port());
  EXPECT_THAT(balancer.ask(kHealth), EndsWith("well"));
  std::deque<TestClient> flood;
  for (int i = 0; i < 200; ++i) flood.emplace_back(server_->port());
  TestClient same(server_->port());
  EXPECT_THAT(same.ask(kHello), EndsWith("hello"));
  TestClient other(server_->port(), 2);
  EXPECT_THAT(other.ask(kHealth), EndsWith("well"));
  EXPECT_THAT(client.ask(kKeyed), EndsWith("keyed")) << "a connection with the key stays";
  EXPECT_THAT(balancer.ask(kHealth), EndsWith("well")) << "and one that asks for health";
  EXPECT_THAT(flood.front().receive_to_end(), IsEmpty());
  EXPECT_LE(server_->connections().strangers, 8U);
}

TEST_F(HttpServerTest, WithoutDescriptorsHealthIsAnsweredAndANewcomerTakesAnothersPlace) {
  start({.connections = kFew});
  TestClient idle(server_->port());
  EXPECT_THAT(idle.ask(kHello), EndsWith("hello"));
  overload_.report(Resource::descriptors, 0.99);
  TestClient newcomer(server_->port(), 2);
  EXPECT_THAT(newcomer.ask(kHealth), EndsWith("well"));
  EXPECT_THAT(idle.receive_to_end(), IsEmpty());
}

TEST_F(HttpServerTest, WithoutAReserveOneTooManyIsToldSo) {
  start({.connections = {.table = 1, .share = 0, .reserve = 0, .closing = 4}});
  TestClient busy(server_->port());
  busy.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
  wait_for(entered_);
  TestClient second(server_->port());
  second.send(kHello);
  const std::string answer = second.receive_to_end();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(answer, EndsWith("Connection: close\r\n\r\ntoo_many_connections"));
  gate_->notify();
  EXPECT_THAT(busy.receive_response(), EndsWith("waited"));
  TestClient third(server_->port());
  EXPECT_THAT(third.ask(kHello), EndsWith("hello")) << "for which the idle one goes";
  EXPECT_THAT(busy.receive_to_end(), IsEmpty());
}

TEST_F(HttpServerTest, TheFirstRequestHasItsTime) {
  start({.first_request_timeout = milliseconds(100)});
  TestClient silent(server_->port());
  TestClient slow(server_->port());
  ASSERT_TRUE(slow.send("GET /hello HTTP/1.1\r\n"));
  EXPECT_THAT(silent.receive_to_end(), IsEmpty());
  EXPECT_THAT(slow.receive_response(), EndsWith("Connection: close\r\n\r\nheader_timeout"));
}

TEST_F(HttpServerTest, AFileGoesOutPartByPart) {
  start();
  TestClient client(server_->port());
  const std::string answer = client.ask(kFile);
  const std::string body = answer.substr(answer.find("\r\n\r\n") + 4);
  ASSERT_EQ(body.size(), file_.size);
  for (std::size_t i = 0; i < body.size(); i += 997) ASSERT_EQ(body[i], static_cast<char>('a' + i % 23)) << i;
  client.send("HEAD /file HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(client.receive_response(false), testing::HasSubstr("Content-Length: 10485760\r\n"));
  file_.size = 0;
  EXPECT_EQ(client.ask(kFile), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  EXPECT_THAT(client.ask(kHello), EndsWith("hello"));
}

TEST_F(HttpServerTest, AFileThatBreaksBreaksTheAnswerOff) {
  file_.fails_at = 1024 * 1024;
  start();
  TestClient client(server_->port());
  client.send(kFile);
  EXPECT_LT(client.receive_to_end().size(), 2U * 1024 * 1024);
}

TEST_F(HttpServerTest, OfAFileThatIsNotReadLittleIsFetched) {
  start();
  std::deque<TestClient> readers;
  for (int i = 0; i < 60; ++i) {
    readers.emplace_back(server_->port(), std::uint8_t(1), 4096);
    readers.back().send(kFile);
  }
  TestClient client(server_->port());
  EXPECT_THAT(client.ask(kHello), EndsWith("hello"));
  // All of them have come as far as they will when nothing has been read for a while.
  for (std::uint64_t before = 0; before != file_.read;) {
    before = file_.read;
    std::this_thread::sleep_for(milliseconds(100));
  }
  EXPECT_LT(file_.read, 60U * 512 * 1024) << "what the kernel keeps of them, and a piece each";
}

TEST_F(HttpServerTest, AnAnswerThatIsNotReadIsGivenUp) {
  std::atomic<int> slow = 0;
  start({.pace = {.grace = milliseconds(100), .bytes_a_second = 1ULL << 40},
         .on_closed = [&](std::string_view why) { slow += why == "slow" ? 1 : 0; }});
  TestClient client(server_->port(), 1, 4096);
  client.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
  while (slow == 0) std::this_thread::sleep_for(milliseconds(5));
  EXPECT_LT(client.receive_to_end().size(), 8U * 1024 * 1024);
}

TEST_F(HttpServerTest, BodiesWaitForTheMemoryThatThereIsForThem) {
  start({.body_bytes = 1500, .body_bytes_timeout = milliseconds(20'000)});
  const auto post = [](int bytes) {
    return fmt::format("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", bytes);
  };
  TestClient holder(server_->port());
  holder.send(post(1000) + "begun");
  TestClient waiting(server_->port());
  while (server_->buffered_bytes() < 1000) std::this_thread::sleep_for(milliseconds(1));
  waiting.send(post(1000) + std::string(1000, 'w'));
  EXPECT_TRUE(waiting.is_silent(50));
  EXPECT_THAT(TestClient(server_->port()).ask(kHello), EndsWith("hello")) << "what has no body waits for none";
  holder.send(std::string(995, 'h'));
  EXPECT_THAT(holder.receive_response(), EndsWith("hhh"));
  EXPECT_THAT(waiting.receive_response(), EndsWith("www"));
  while (server_->buffered_bytes() != 0) std::this_thread::sleep_for(milliseconds(1));
}

TEST_F(HttpServerTest, WhileMemoryIsShortTheSlowAreGivenUpForTheOthers) {
  std::atomic<int> slow = 0;
  start({.hurried_pace = {.grace = milliseconds(100), .bytes_a_second = 1ULL << 40},
         .body_bytes = 4 * limits::kMiB,
         .on_closed = [&](std::string_view why) { slow += why == "slow" ? 1 : 0; }});
  TestClient slacker(server_->port(), 1, 4096);
  slacker.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
  while (slow == 0 && server_->buffered_bytes() < 8 * limits::kMiB) std::this_thread::sleep_for(milliseconds(1));
  TestClient other(server_->port());
  EXPECT_THAT(other.ask("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"), EndsWith("\r\n\r\nabc"));
  EXPECT_EQ(slow, 1);
}

TEST_F(HttpServerTest, ABodyThatFindsNoMemoryIsToldToComeAgain) {
  start({.body_bytes = 1000, .body_bytes_timeout = milliseconds(50)});
  TestClient holder(server_->port());
  holder.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nbegun");
  while (server_->buffered_bytes() < 1000) std::this_thread::sleep_for(milliseconds(1));
  TestClient waiting(server_->port());
  EXPECT_THAT(waiting.ask("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"), EndsWith("overloaded"));
}

}  // namespace
}  // namespace infra::net
