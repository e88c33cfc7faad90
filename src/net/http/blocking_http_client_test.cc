#include "net/http/blocking_http_client.h"

#include "core/operator_error_codes.h"
#include "net/http/test_http_server.h"

namespace infra::net {
namespace {

class BlockingHttpClientTest : public HttpServerTest {
 protected:
  [[nodiscard]] std::string url(std::string_view path) const {
    return fmt::format("http://127.0.0.1:{}{}", server_->port(), path);
  }

  BlockingHttpClient client_;
};

TEST_F(BlockingHttpClientTest, AnyStatusIsAnAnswer) {
  start();
  const auto hello = client_.send({.url = url("/hello")});
  ASSERT_TRUE(hello) << hello.error().message;
  EXPECT_EQ(hello->body, "hello");
  EXPECT_EQ(client_.send({.url = url("/refuse")})->status, 401);
  EXPECT_EQ(client_.send({.method = "POST", .url = url("/echo"), .body = "said"})->body, "said");
}

TEST_F(BlockingHttpClientTest, ABodyOfUnknownSizeIsSentAsItComes) {
  start();
  std::size_t left = 1'000'000;
  BlockingCall call{.method = "POST", .url = url("/count")};
  call.read_body = [&](std::span<char> room) -> Result<std::size_t> {
    const std::size_t count = std::min({left, room.size(), std::size_t{1000}});
    std::fill_n(room.begin(), count, 'x');
    left -= count;
    return count;
  };
  const auto answer = client_.send(call);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->body, "1000000");
}

TEST_F(BlockingHttpClientTest, ABodyThatFailsIsTheCallsError) {
  start();
  BlockingCall call{.method = "POST", .url = url("/count")};
  call.read_body = [](std::span<char>) -> Result<std::size_t> { return fail(errors::disk_error, "told to fail"); };
  const auto answer = client_.send(call);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().message, "told to fail");
}

TEST_F(BlockingHttpClientTest, AnswersAreBoundedAndMayBeTakenInPieces) {
  start();
  BlockingCall call{.url = url("/large"), .max_response_bytes = 1000};
  EXPECT_EQ(client_.send(call).error().code, errors::http_too_large);
  std::size_t taken = 0;
  call.max_response_bytes = 10'000'000;
  call.on_body = [&](std::string_view piece) {
    taken += piece.size();
    return true;
  };
  const auto answer = client_.send(call);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(taken, 8U * 1024 * 1024);
  EXPECT_TRUE(answer->body.empty());
}

TEST_F(BlockingHttpClientTest, NobodyThereAndNobodyAnsweringAreTold) {
  start();
  BlockingCall call{.url = url("/wait"), .timeout = milliseconds{50}};
  EXPECT_EQ(client_.send(call).error().code, errors::http_timeout);
  const auto nobody = client_.send({.url = "http://127.0.0.1:1/?secret"});
  EXPECT_EQ(nobody.error().code, errors::http_unreachable);
  EXPECT_EQ(nobody.error().message.find("secret"), std::string::npos);
  BlockingCall split{.url = url("/hello")};
  split.headers.add("x-api-key", "a\r\nb: c");
  EXPECT_EQ(client_.send(split).error().code, errors::http_invalid_request);
}

}  // namespace
}  // namespace infra::net
