// Where a request ends: framing that must be refused, bodies that are not read, "100 Continue".
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <string_view>

#include "net/http/http_server.h"
#include "net/http/http_server_codec.h"
#include "net/http/test_http_client.h"
#include "net/http/test_http_server.h"

namespace infra::net {
namespace {

using testing::EndsWith;
using testing::IsEmpty;
using testing::StartsWith;

class MalformedRequestTest : public HttpServerTest, public testing::WithParamInterface<std::string> {};

TEST_P(MalformedRequestTest, IsRefusedAndTheConnectionEnds) {
  start();
  TestClient client(server_->port());
  client.send(GetParam());
  const std::string answer = client.receive_to_end();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(answer, EndsWith("Connection: close\r\n\r\ninvalid_request"));
  EXPECT_EQ(handled_, 0);
}

using std::string_literals::operator""s;

INSTANTIATE_TEST_SUITE_P(
    Cases, MalformedRequestTest,
    testing::Values(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"s,
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n"s,
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcd"s,
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\nabcd"s,
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4, 4\r\n\r\nabcd"s,
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"s,
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n"s,
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n"s,
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n"s,
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"s,
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"s,
        "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"s,
        "GET /hello HTTP/1.1\r\n\r\n"s,                                  //
        "GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"s,            //
        "GET /hello HTTP/1.1\r\nHost: a\r\nX-Folded: a\r\n b\r\n\r\n"s,  //
        "GET /hello HTTP/1.1\r\nHost: a\r\nX-Space : a\r\n\r\n"s,        //
        "GET /hello HTTP/1.1\r\nHost: a\r\nX-Zero: a\0b\r\n\r\n"s,       //
        "GET /hello HTTP/1.1\r\nHost: a\nX-Bare: a\r\n\r\n"s,            //
        "GET /hello HTTP/1.1\r\nHost: a\r\nX-Return: a\rb\r\n\r\n"s,     //
        "GET /hello HTTP/1.1\r\nHost: a\r\nNo colon\r\n\r\n"s,           //
        "GET /hel lo HTTP/1.1\r\nHost: a\r\n\r\n"s,                      //
        "GET /hello HTTP/2.0\r\nHost: a\r\n\r\n"s,                       //
        "GET hello HTTP/1.1\r\nHost: a\r\n\r\n"s,                        //
        "GET /hello#part HTTP/1.1\r\nHost: a\r\n\r\n"s,                  //
        "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n"s,                    //
        "\x16\x03\x01\x02\x01\x01\r\n\r\n"s));                           // TLS

class MalformedChunksTest : public HttpServerTest, public testing::WithParamInterface<std::string> {};

TEST_P(MalformedChunksTest, EndTheBodyWithAnError) {
  start();
  TestClient client(server_->port());
  client.send("POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + GetParam());
  const std::string answer = client.receive_to_end();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(answer, EndsWith("Connection: close\r\n\r\nbody_incomplete"));
}

INSTANTIATE_TEST_SUITE_P(Cases, MalformedChunksTest,
                         testing::Values("x\r\n"s, "-1\r\n"s, "10000000000000000f\r\nabc"s, "3\r\nabcd\r\n0\r\n\r\n"s,
                                         "3 \r\nabc\r\n0\r\n\r\n"s, "3;" + std::string(20'000, 'e'),
                                         "1;a=\"\n\"\r\nx\r\n0\r\n\r\n"s, "1;a=\"\x01\"\r\nx\r\n0\r\n\r\n"s,
                                         "0;a=\"\n\"\r\n\r\n"s, "0\r\nT: v\r\n w\r\n\r\n"s,
                                         "3\r\nabc\r\n0\r\nT: v\r\n \r\n\r\n"s));

TEST(RequestParser, ABodyMayHaveLinesOfItsOwnBeforeItsEnd) {
  RequestParser parser;
  Request request;
  ASSERT_TRUE(parser.parse_header("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", request));
  std::array<char, 8> out{};
  const auto step = parser.parse_chunks("5\r\na\n\n b\r\n0\r\nT: v\r\n\r\n", out);
  ASSERT_TRUE(step) << step.error().message;
  EXPECT_TRUE(step->finished);
  EXPECT_EQ(std::string_view(out.data(), step->produced), "a\n\n b");
}

TEST(RequestParser, ABodyMayComeByteByByte) {
  for (const std::string_view body :
       {"0\r\n\r\n", "0\r\nTrailer: x\r\n\r\n", "00;a=b\r\n\r\n", "1\r\nx\r\n0\r\n\r\n"}) {
    RequestParser parser;
    Request request;
    ASSERT_TRUE(parser.parse_header("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", request));
    std::array<char, 8> out{};
    std::size_t consumed = 0;
    bool finished = false;
    for (std::size_t come = 1; come <= body.size(); ++come) {
      EXPECT_FALSE(finished) << body;
      const auto step = parser.parse_chunks(body.substr(consumed, come - consumed), out);
      ASSERT_TRUE(step) << body;
      consumed += step->consumed;
      finished = step->finished;
    }
    EXPECT_TRUE(finished) << body;
    EXPECT_EQ(consumed, body.size());
  }
}

TEST_F(HttpServerTest, ContinueIsSentWhenTheHandlerReads) {
  start();
  TestClient client(server_->port());
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.receive_response(), "HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_THAT(client.ask("abc"), EndsWith("\r\n\r\nabc"));
  EXPECT_THAT(client.ask(kHello), EndsWith("hello"));
}

TEST_F(HttpServerTest, NoContinueWhereTheHandlerDoesNotRead) {
  start();
  TestClient client(server_->port());
  client.send("POST /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: 20000000\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_THAT(client.receive_to_end(), EndsWith("Connection: close\r\n\r\nno"));
}

TEST_F(HttpServerTest, ClientThatSendsAllTheSameSeesTheRefusal) {
  start();
  for (const std::string_view expect : {"", "Expect: 100-continue\r\n"}) {
    TestClient client(server_->port());
    constexpr std::size_t kBytes = 20 * 1024 * 1024;
    client.send(fmt::format("POST /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n{}\r\n", kBytes, expect));
    EXPECT_TRUE(client.send(std::string(kBytes, 'x')));
    EXPECT_EQ(client.receive_to_end(), "HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
  }
}

TEST_F(HttpServerTest, EarlyAnswerComesBeforeTheBody) {
  start();
  TestClient client(server_->port());
  client.send("POST /refuse HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc");
  EXPECT_THAT(client.receive_response(), EndsWith("Connection: close\r\n\r\nno"));
  client.send("de\r\n0\r\n\r\n");
  EXPECT_THAT(client.receive_to_end(), IsEmpty());
}

TEST_F(HttpServerTest, SmallUnreadBodyDoesNotCostTheConnection) {
  start();
  TestClient client(server_->port());
  EXPECT_THAT(client.ask("POST /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"), EndsWith("no"));
  EXPECT_THAT(client.ask("POST /refuse HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"),
              EndsWith("no"));
  EXPECT_THAT(client.ask(kHello), EndsWith("hello"));
}

}  // namespace
}  // namespace infra::net
