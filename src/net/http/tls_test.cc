// HTTPS: the same server behind a handshake, whose certificate may change while connections go on.
#include "net/http/tls.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/http/test_http_server.h"
#include "net/http/test_tls.h"

namespace infra::net {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

constexpr std::string_view kHelloAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

class TlsTest : public HttpServerTest {
 protected:
  static std::shared_ptr<const TlsContext> context_of(const TlsPem& pem) {
    auto context = TlsContext::create(pem);
    EXPECT_TRUE(context) << (context ? "" : context.error().message);
    return context.value_or(nullptr);
  }
  void start_tls(HttpServerOptions options = {}) {
    options.tls = port_;
    start(std::move(options));
  }
  static std::string ask(TlsClient& client) {
    EXPECT_TRUE(client.send(kHello));
    return client.receive(kHelloAnswer.size());
  }

  std::shared_ptr<TlsPort> port_ = std::make_shared<TlsPort>(context_of(make_tls_pem("first")));
};

TEST_F(TlsTest, AnswersRequestAfterRequest) {
  start_tls();
  TlsClient client(server_->port());
  ASSERT_TRUE(client.shake_hands());
  EXPECT_GE(client.version(), TLS1_2_VERSION);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ask(client), kHelloAnswer);
}

TEST_F(TlsTest, LargeBodiesGoBothWays) {
  start_tls();
  TlsClient client(server_->port());
  ASSERT_TRUE(client.shake_hands());
  constexpr std::size_t kBytes = 3'000'000;
  EXPECT_TRUE(client.send(fmt::format("POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", kBytes)));
  for (std::size_t sent = 0; sent < kBytes; sent += 100'000) ASSERT_TRUE(client.send(std::string(100'000, 'x')));
  const std::string_view counted = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n3000000";
  EXPECT_EQ(client.receive(counted.size()), counted);
  EXPECT_TRUE(client.send("GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
  EXPECT_GT(client.receive(16 * 1024 * 1024).size(), 8U * 1024 * 1024);
  EXPECT_TRUE(client.was_closed_in_order());
}

TEST_F(TlsTest, AFileGoesOutPartByPart) {
  file_.size = 1'000'000;
  start_tls();
  TlsClient client(server_->port());
  ASSERT_TRUE(client.shake_hands());
  EXPECT_TRUE(client.send("GET /file HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
  const std::string answer = client.receive(2'000'000);
  const std::string body = answer.substr(answer.find("\r\n\r\n") + 4);
  ASSERT_EQ(body.size(), file_.size);
  for (std::size_t i = 0; i < body.size(); i += 997) ASSERT_EQ(body[i], static_cast<char>('a' + i % 23)) << i;
}

TEST_F(TlsTest, ANewCertificateIsForNewConnectionsAndEndsNone) {
  start_tls();
  TlsClient before(server_->port());
  ASSERT_TRUE(before.shake_hands());
  EXPECT_EQ(before.server_name(), "first");
  port_->replace(context_of(make_tls_pem("second")));
  TlsClient after(server_->port());
  ASSERT_TRUE(after.shake_hands());
  EXPECT_EQ(after.server_name(), "second");
  EXPECT_EQ(ask(before), kHelloAnswer);
  EXPECT_EQ(ask(after), kHelloAnswer);
}

TEST_F(TlsTest, WhoSpeaksPlainHttpIsToldSo) {
  start_tls();
  TestClient plain(server_->port());
  plain.send(kHello);
  const std::string answer = plain.receive_to_end();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(answer, EndsWith("Connection: close\r\n\r\ninvalid_request"));
  EXPECT_EQ(handled_, 0);
}

TEST_F(TlsTest, TheHandshakeIsPartOfTheFirstRequestsTime) {
  start_tls({.first_request_timeout = milliseconds(100)});
  TestClient silent(server_->port());
  EXPECT_THAT(silent.receive_to_end(), IsEmpty());
  TlsClient idle(server_->port());
  ASSERT_TRUE(idle.shake_hands());
  EXPECT_TRUE(idle.was_closed_in_order());
}

TEST_F(TlsTest, NoiseEndsItsConnectionAlone) {
  start_tls();
  TestClient noisy(server_->port());
  noisy.send(std::string(1000, '\xee'));
  (void)noisy.receive_response();
  TlsClient client(server_->port());
  ASSERT_TRUE(client.shake_hands());
  EXPECT_EQ(ask(client), kHelloAnswer);
}

TEST(TlsContextTest, SaysWhatIsWrongWithAPair) {
  const TlsPem one = make_tls_pem("one");
  const TlsPem other = make_tls_pem("other");
  const auto why = [](const TlsPem& pem) {
    const auto made = TlsContext::create(pem);
    return made ? std::string("nothing") : made.error().code + ": " + made.error().message;
  };
  EXPECT_EQ(why(one), "nothing");
  EXPECT_EQ(why({.certificate = one.certificate + other.certificate, .key = one.key}), "nothing") << "with a chain";
  EXPECT_THAT(why({.certificate = "", .key = one.key}), StartsWith("invalid_tls: TLS_CERT_FILE has no certificate"));
  EXPECT_THAT(why({.certificate = one.key, .key = one.key}), HasSubstr("TLS_CERT_FILE has no certificate"));
  EXPECT_THAT(why({.certificate = one.certificate, .key = one.certificate}), HasSubstr("TLS_KEY_FILE has no key"));
  EXPECT_THAT(why({.certificate = one.certificate, .key = other.key}), HasSubstr("is not that of the certificate"));
  EXPECT_THAT(why({.certificate = one.certificate, .key = make_tls_pem("one", "secret").key}),
              HasSubstr("without a password"));
}

}  // namespace
}  // namespace infra::net
