// The small parts of the attempt loop: waits, dates, the breaker, and what a service's words mean.
#include "adapters/aws/retry_policy.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "adapters/aws/circuit_breaker.h"
#include "adapters/aws/wire/http_date.h"
#include "adapters/aws/wire/xml_text.h"

namespace infra::aws {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

class FixedRandom final : public Random {
 public:
  explicit FixedRandom(unsigned char byte) : byte_(byte) {}
  void fill(std::span<std::byte> out) override { std::ranges::fill(out, std::byte{byte_}); }

 private:
  unsigned char byte_;
};

net::Headers header(std::string name, std::string value) {
  net::Headers headers;
  headers.add(std::move(name), std::move(value));
  return headers;
}

TEST(Backoff, GrowsFromFiftyMillisecondsToASecond) {
  FixedRandom nothing(0);
  EXPECT_EQ(backoff(1, nothing), milliseconds{0});
  const std::pair<int, milliseconds> most[] = {{1, milliseconds{50}},
                                               {2, milliseconds{100}},
                                               {3, milliseconds{200}},
                                               {6, milliseconds{1000}},
                                               {99, milliseconds{1000}}};
  for (const auto& [attempt, limit] : most) {
    milliseconds longest{0};
    for (int byte = 0; byte < 256; ++byte) {
      FixedRandom random(static_cast<unsigned char>(byte));
      longest = std::max(longest, backoff(attempt, random));
    }
    EXPECT_LE(longest, limit) << attempt;
    EXPECT_GE(longest, limit * 8 / 10) << attempt;
  }
}

TEST(HttpDate, ReadsTheOneFormThatIsSent) {
  EXPECT_EQ(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), parse_iso8601("1994-11-06T08:49:37Z"));
  for (const auto* wrong :
       {"", "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nix 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun, +6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49x37 GMT"})
    EXPECT_FALSE(parse_http_date(wrong)) << wrong;
}

TEST(RetryAfter, IsSecondsOrADate) {
  const auto now = parse_iso8601("1994-11-06T08:49:30Z").value();
  EXPECT_EQ(retry_after(header("Retry-After", "3"), now), seconds{3});
  EXPECT_EQ(retry_after(header("Retry-After", "Sun, 06 Nov 1994 08:49:37 GMT"), now), seconds{7});
  EXPECT_EQ(retry_after(header("Retry-After", "Sun, 06 Nov 1994 08:49:00 GMT"), now), seconds{0});
  EXPECT_EQ(retry_after(header("Retry-After", "999999999"), now), hours{24});
  for (const auto* wrong : {"", "-1", "soon", "99999999999999999999", "1.5"})
    EXPECT_EQ(retry_after(header("Retry-After", wrong), now), seconds{0}) << wrong;
  EXPECT_EQ(retry_after({}, now), seconds{0});
}

TEST(ClockOffset, CountsOnlyIfItExplainsARefusal) {
  const auto time = parse_iso8601("1994-11-06T08:49:37Z").value();
  const auto date = header("Date", "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_FALSE(clock_offset(date, time + seconds{239}));
  EXPECT_EQ(clock_offset(date, time + hours{1}), -hours{1});
  EXPECT_EQ(clock_offset(date, time - hours{1}), hours{1});
  EXPECT_FALSE(clock_offset({}, time));
}

TEST(XmlText, FindsAnElementsText) {
  const std::string_view xml =
      "<?xml version=\"1.0\"?><E xmlns=\"x\"><Codes>no</Codes><Code a=\"1\">A&amp;&lt;b&gt;&quot;</Code></E>";
  EXPECT_EQ(xml_text(xml, "Code"), "A&<b>\"");
  EXPECT_EQ(xml_text(xml, "Codes"), "no");
  EXPECT_FALSE(xml_text(xml, "Message"));
  for (const auto* cut : {"<Code", "<Code>", "<Code>x", "<Code>x</Cod", ""}) EXPECT_FALSE(xml_text(cut, "Code")) << cut;
}

class CircuitBreakerTest : public testing::Test {
 protected:
  void open() {
    for (int i = 1; i < CircuitBreaker::kFailuresToOpen; ++i) EXPECT_FALSE(breaker_.failed(now_));
    EXPECT_TRUE(breaker_.admits(now_));
    EXPECT_TRUE(breaker_.failed(now_));
  }
  CircuitBreaker breaker_;
  SteadyTime now_{seconds{100}};
};

TEST_F(CircuitBreakerTest, OpensAfterFailuresInARow) {
  for (int round = 0; round < 3; ++round) {
    for (int i = 1; i < CircuitBreaker::kFailuresToOpen; ++i) EXPECT_FALSE(breaker_.failed(now_));
    EXPECT_FALSE(breaker_.succeeded());
  }
  open();
  EXPECT_FALSE(breaker_.admits(now_));
  EXPECT_FALSE(breaker_.admits(now_ + milliseconds{499}));
}

TEST_F(CircuitBreakerTest, LetsOneThroughAndCloses) {
  open();
  now_ += milliseconds{500};
  EXPECT_TRUE(breaker_.admits(now_));
  EXPECT_FALSE(breaker_.admits(now_));
  EXPECT_FALSE(breaker_.failed(now_ + milliseconds{100}));
  EXPECT_FALSE(breaker_.admits(now_ + milliseconds{599}));
  EXPECT_TRUE(breaker_.admits(now_ + milliseconds{600}));
  EXPECT_TRUE(breaker_.succeeded());
  EXPECT_TRUE(breaker_.admits(now_ + milliseconds{600}));
  EXPECT_TRUE(breaker_.admits(now_ + milliseconds{600}));
}

TEST_F(CircuitBreakerTest, AProbeThatNeverEndsBlocksNobody) {
  open();
  EXPECT_TRUE(breaker_.admits(now_ + milliseconds{500}));
  EXPECT_TRUE(breaker_.admits(now_ + milliseconds{1000}));
}

struct Answer {
  net::Response response;
  Cause cause;
  ErrorKind kind;
  std::string code;
};

TEST(ServiceErrors, HaveACauseAKindAndACode) {
  const auto json = [](int status, std::string_view type) {
    return net::Response{
        .status = status, .headers = {}, .body = fmt::format(R"({{"__type":"{}","Message":"words"}})", type)};
  };
  const auto xml = [](int status, std::string_view code) {
    return net::Response{.status = status,
                         .headers = {},
                         .body = fmt::format("<?xml?>\n<Error><Code>{}</Code><Message>words</Message></Error>", code)};
  };
  const auto bare = [](int status, net::Headers headers = {}) {
    return net::Response{.status = status, .headers = std::move(headers), .body = ""};
  };
  const std::vector<Answer> answers{
      {json(400, "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"), Cause::refused,
       ErrorKind::conflict, "ConditionalCheckFailedException"},
      {json(400, "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException"), Cause::refused, ErrorKind::not_found,
       "ResourceNotFoundException"},
      {json(400, "com.amazonaws.sqs#QueueDoesNotExist"), Cause::refused, ErrorKind::not_found, "QueueDoesNotExist"},
      {json(400, "com.amazonaws.sqs#ReceiptHandleIsInvalid"), Cause::refused, ErrorKind::not_found,
       "ReceiptHandleIsInvalid"},
      {json(400, "com.amazon.coral.validate#ValidationException"), Cause::refused, ErrorKind::invalid, "aws_refused"},
      {json(400, "ProvisionedThroughputExceededException"), Cause::throttled, ErrorKind::unavailable, "aws_throttled"},
      {json(400, "com.amazonaws.sqs#RequestThrottled"), Cause::throttled, ErrorKind::unavailable, "aws_throttled"},
      {json(400, "ExpiredTokenException"), Cause::expired_credentials, ErrorKind::unavailable, "aws_denied"},
      {json(400, "InvalidSignatureException"), Cause::skewed_clock, ErrorKind::unavailable, "aws_denied"},
      {json(400, "AccessDeniedException"), Cause::refused, ErrorKind::unavailable, "aws_denied"},
      {json(500, "InternalServerError"), Cause::broken, ErrorKind::unavailable, "aws_unavailable"},
      {xml(404, "NoSuchKey"), Cause::refused, ErrorKind::not_found, "NoSuchKey"},
      {xml(404, "NoSuchBucket"), Cause::refused, ErrorKind::not_found, "NoSuchBucket"},
      {xml(412, "PreconditionFailed"), Cause::refused, ErrorKind::conflict, "PreconditionFailed"},
      {xml(400, "EntityTooLarge"), Cause::refused, ErrorKind::too_large, "aws_too_large"},
      {xml(400, "RequestTimeout"), Cause::broken, ErrorKind::unavailable, "aws_unavailable"},
      {xml(503, "SlowDown"), Cause::throttled, ErrorKind::unavailable, "aws_throttled"},
      {xml(403, "RequestTimeTooSkewed"), Cause::skewed_clock, ErrorKind::unavailable, "aws_denied"},
      {xml(301, "PermanentRedirect"), Cause::refused, ErrorKind::invalid, "aws_refused"},
      {bare(404), Cause::refused, ErrorKind::not_found, "aws_not_found"},
      {bare(403), Cause::refused, ErrorKind::unavailable, "aws_denied"},
      {bare(412), Cause::refused, ErrorKind::conflict, "aws_conflict"},
      {bare(429), Cause::throttled, ErrorKind::unavailable, "aws_throttled"},
      {bare(503), Cause::broken, ErrorKind::unavailable, "aws_unavailable"},
      {bare(400, header("x-amzn-errortype", "ThrottlingException:http://internal.amazon.com/")), Cause::throttled,
       ErrorKind::unavailable, "aws_throttled"},
      {bare(400, header("x-amzn-query-error", "AWS.SimpleQueueService.NonExistentQueue;Sender")), Cause::refused,
       ErrorKind::not_found, "AWS.SimpleQueueService.NonExistentQueue"},
  };
  for (const auto& [response, cause, kind, code] : answers) {
    SCOPED_TRACE(fmt::format("{} {}", response.status, response.body));
    const auto said = read_service_error(response);
    ASSERT_EQ(cause_of(response.status, said.name), cause);
    const auto error = to_error("sqs", response.status, said, cause);
    EXPECT_EQ(error.kind, kind);
    EXPECT_EQ(error.code, code);
    EXPECT_TRUE(error.message.find("sqs") != std::string::npos) << error.message;
    EXPECT_EQ(error.retry_after.count(), kind == ErrorKind::unavailable ? 1 : 0);
    if (!response.body.empty()) EXPECT_NE(error.message.find("words"), std::string::npos) << error.message;
  }
}

TEST(ServiceErrors, NothingButWordsGetsIntoAMessage) {
  const auto said = read_service_error(
      {.status = 403,
       .headers = {},
       .body = R"({"__type":"a#Bad\nName","message":"It does not match.\n\nx-amz-security-token:TOKEN"})"});
  EXPECT_EQ(said.name, "BadName");
  EXPECT_EQ(said.message, "It does not match.");
  const std::string large(100'000, 'x');
  EXPECT_LE(read_service_error({.status = 400,
                                .headers = {},
                                .body = "<Error><Code>" + large + "</Code><Message>" + large + "</Message></Error>"})
                .message.size(),
            200u);
  for (const auto* body : {"{", "<", "[]", "null", "{\"__type\":7}", "plain"})
    EXPECT_EQ(read_service_error({.status = 400, .headers = {}, .body = body}).name, "") << body;
}

}  // namespace
}  // namespace infra::aws
