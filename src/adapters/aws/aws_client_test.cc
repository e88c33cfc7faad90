// The client against a server that answers as it is told: what it sends, when it tries again, and when it must not.
#include "adapters/aws/aws_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "adapters/aws/auth/sigv4.h"
#include "adapters/aws/auth/test_peer.h"
#include "adapters/system/system_clock.h"
#include "core/error_codes.h"
#include "support/manual_clock.h"

namespace infra::aws {
namespace {

using std::chrono::seconds;

constexpr std::string_view kThrottled = R"({"__type":"ThrottlingException","message":"slow down"})";

class NoJitter final : public Random {
 public:
  void fill(std::span<std::byte> out) override { std::ranges::fill(out, std::byte{0}); }
};

// Temporary credentials; each refusal makes way for new ones.
class RenewableCredentials final : public CredentialProvider {
 public:
  Task<Result<Credentials>> get(SteadyTime) override {
    if (missing) co_return fail(Error{errors::no_credentials, "none", seconds{1}});
    co_return Credentials{.access_key_id = "AKID",
                          .secret_access_key = "SECRETSECRET",
                          .session_token = fmt::format("TOKEN{}", refusals.load())};
  }
  void refused(const Credentials&) override { ++refusals; }

  std::atomic<int> refusals{0};
  std::atomic<bool> missing{false};
};

class AwsClientTest : public PeerTest {
 protected:
  AwsClient client(std::string service = "sqs", std::string endpoint = "") {
    return AwsClient({std::move(service), "eu-west-1", endpoint.empty() ? peer_.url() : endpoint}, http_, credentials_,
                     clock_, random_);
  }
  static AwsRequest request(Repeat repeat, milliseconds timeout = seconds{10}) {
    return {.body = "{}", .repeat = repeat, .timeout = timeout};
  }
  Result<net::Response> call(AwsClient& client, AwsRequest request) { return run(client.call(std::move(request))); }

  // The first answers in turn, the last one from then on.
  void say_in_turn(std::vector<net::Response> answers) {
    peer_.say([answers](const Seen&, std::size_t index) { return answers.at(std::min(index, answers.size() - 1)); });
  }

  ManualClock clock_;
  NoJitter random_;
  RenewableCredentials credentials_;
};

TEST_F(AwsClientTest, SignsWhatItSends) {
  auto s3 = client("s3");
  AwsRequest put{.method = "PUT", .path = "/bucket/a%20b", .query = "x=1&uploads", .body = "content"};
  put.headers.add("If-None-Match", "*");
  ASSERT_TRUE(call(s3, put));
  const auto seen = peer_.seen(0);
  EXPECT_EQ(seen.method, "PUT");
  EXPECT_EQ(seen.path, "/bucket/a%20b");
  EXPECT_EQ(seen.query, "x=1&uploads");
  EXPECT_EQ(seen.body, "content");
  EXPECT_EQ(seen.header("host"), peer_.host());
  EXPECT_EQ(seen.header("x-amz-content-sha256"), sha256_hex("content"));
  EXPECT_EQ(seen.header("x-amz-security-token"), "TOKEN0");

  net::Headers as_given;
  for (const auto* name : {"Host", "If-None-Match"}) as_given.add(name, seen.header(name));
  const Credentials who{.access_key_id = "AKID", .secret_access_key = "SECRETSECRET", .session_token = "TOKEN0"};
  const auto hash = sha256_hex("content");
  const auto signature = sign({seen.method, seen.path, seen.query, as_given, hash}, who,
                              {.region = "eu-west-1", .service = "s3", .time = clock_.now()}, signing_rules("s3"));
  EXPECT_EQ(seen.header("authorization"), signature.headers.find("Authorization"));
  EXPECT_EQ(seen.header("x-amz-date"), signature.headers.find("X-Amz-Date"));
}

TEST_F(AwsClientTest, BelievesAHashThatItIsGiven) {
  auto s3 = client("s3");
  AwsRequest put{.method = "PUT", .path = "/b/k", .body = "content"};
  put.headers.add("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
  ASSERT_TRUE(call(s3, put));
  EXPECT_EQ(peer_.seen(0).headers.count("x-amz-content-sha256"), 1u);
  EXPECT_EQ(peer_.seen(0).header("x-amz-content-sha256"), "UNSIGNED-PAYLOAD");
}

TEST_F(AwsClientTest, SpeaksTheJsonProtocols) {
  auto sqs = client();
  const auto send = [&] {
    return run(sqs.call_json("AmazonSQS.SendMessage", {{"QueueUrl", "q"}}, Repeat::unsafe, seconds{10}));
  };
  peer_.say(reply(200, R"({"MessageId":"m"})"));
  const auto answer = send();
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->at("MessageId").as_string(), "m");
  EXPECT_EQ(peer_.seen(0).header("x-amz-target"), "AmazonSQS.SendMessage");
  EXPECT_EQ(peer_.seen(0).header("content-type"), "application/x-amz-json-1.0");
  EXPECT_EQ(peer_.seen(0).body, R"({"QueueUrl":"q"})");
  peer_.say(reply(200));
  EXPECT_TRUE(send().value().empty());
  for (const auto* wrong : {"[]", "{", "<html>"}) {
    peer_.say(reply(200, wrong));
    EXPECT_EQ(send().error().kind, ErrorKind::unavailable) << wrong;
  }
}

TEST_F(AwsClientTest, AnErrorCarriesTheServicesNameAndNoSecret) {
  auto dynamodb = client("dynamodb");
  peer_.say(reply(400, R"({"__type":"x#ConditionalCheckFailedException","message":"The conditional request failed"})"));
  const auto lost = call(dynamodb, request(Repeat::safe)).error();
  EXPECT_EQ(lost.kind, ErrorKind::conflict);
  EXPECT_EQ(lost.code, "ConditionalCheckFailedException");
  EXPECT_EQ(peer_.count(), 1u);
  peer_.say(
      reply(403, R"({"__type":"x#InvalidSignatureException","message":"No match.\nx-amz-security-token:TOKEN0"})"));
  const auto denied = call(dynamodb, request(Repeat::safe)).error();
  EXPECT_EQ(denied.code, "aws_denied");
  EXPECT_NE(denied.message.find("InvalidSignatureException: No match."), std::string::npos) << denied.message;
  for (const auto* secret : {"TOKEN", "SECRET", "AKID"})
    EXPECT_EQ(denied.message.find(secret), std::string::npos) << denied.message;
}

TEST_F(AwsClientTest, NotModifiedIsAnAnswerAndTooMuchIsNone) {
  auto s3 = client("s3");
  peer_.say(reply(304));
  EXPECT_EQ(call(s3, {.method = "GET"}).value().status, 304);
  peer_.say(reply(200, std::string(1001, 'x')));
  EXPECT_EQ(call(s3, {.method = "GET", .max_response_bytes = 1000}).error().kind, ErrorKind::too_large);
  EXPECT_EQ(peer_.count(), 1u);
}

TEST_F(AwsClientTest, RepeatsServerErrorsOnlyIfThatIsSafe) {
  auto sqs = client();
  say_in_turn({reply(500), reply(503), reply(200, "third")});
  EXPECT_EQ(call(sqs, request(Repeat::safe)).value().body, "third");
  EXPECT_EQ(peer_.count(), 3u);

  say_in_turn({reply(500), reply(200)});
  const auto unsafe = call(sqs, request(Repeat::unsafe));
  ASSERT_FALSE(unsafe);
  EXPECT_EQ(unsafe.error().kind, ErrorKind::unavailable);
  EXPECT_EQ(unsafe.error().code, "aws_unavailable");
  EXPECT_EQ(unsafe.error().retry_after, seconds{1});
  EXPECT_EQ(peer_.count(), 1u);
}

TEST_F(AwsClientTest, GivesUpAfterThreeAttempts) {
  auto sqs = client();
  peer_.say(reply(500));
  EXPECT_EQ(call(sqs, request(Repeat::safe)).error().code, "aws_unavailable");
  EXPECT_EQ(peer_.count(), 3u);
}

TEST_F(AwsClientTest, RepeatsWhatWasThrottledEvenIfUnsafe) {
  auto sqs = client();
  say_in_turn({reply(400, std::string(kThrottled)), reply(429), reply(200, "third")});
  EXPECT_EQ(call(sqs, request(Repeat::unsafe)).value().body, "third");
  say_in_turn({reply(503, "<Error><Code>SlowDown</Code></Error>"), reply(200)});
  EXPECT_TRUE(call(sqs, request(Repeat::unsafe)));
  peer_.say(reply(429));
  EXPECT_EQ(call(sqs, request(Repeat::unsafe)).error().code, "aws_throttled");
}

TEST_F(AwsClientTest, RepeatsWhatWasNeverSentEvenIfUnsafe) {
  TestPeer gone(loops_);
  const auto nowhere = gone.url();
  gone.close();
  auto sqs = client("sqs", nowhere);
  // Five attempts open the breaker: three of the first call, two of the second.
  EXPECT_EQ(call(sqs, request(Repeat::unsafe)).error().code, "aws_unavailable");
  EXPECT_EQ(call(sqs, request(Repeat::unsafe)).error().code, "circuit_open");
}

TEST_F(AwsClientTest, ALateAnswerIsRepeatedOnlyIfSafe) {
  auto sqs = client();
  say_in_turn({reply(0), reply(200, "second")});
  auto late = request(Repeat::safe);
  late.attempt_timeout = milliseconds{100};
  EXPECT_EQ(call(sqs, late).value().body, "second");
  say_in_turn({reply(0), reply(200, "second")});
  late.repeat = Repeat::unsafe;
  EXPECT_EQ(call(sqs, late).error().code, "aws_timeout");
  EXPECT_EQ(peer_.count(), 1u);
}

TEST_F(AwsClientTest, TheWholeCallHasADeadline) {
  SystemClock clock;
  AwsClient sqs({"sqs", "eu-west-1", peer_.url()}, http_, credentials_, clock, random_);
  peer_.say(reply(0));
  auto patient = request(Repeat::safe, milliseconds{250});
  patient.attempt_timeout = milliseconds{100};
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(call(sqs, patient).error().code, "aws_timeout");
  EXPECT_GE(peer_.count(), 1u);
  EXPECT_LE(peer_.count(), 3u);  // on a busy machine the deadline comes before the third
  patient.attempt_timeout = seconds{30};
  EXPECT_EQ(call(sqs, patient).error().code, "aws_timeout");
  EXPECT_LT(std::chrono::steady_clock::now() - start, seconds{5});
}

TEST_F(AwsClientTest, WaitsAsLongAsItIsAskedTo) {
  auto sqs = client();
  say_in_turn({reply(503, "", {"Retry-After", "2"}), reply(200)});
  Result<net::Response> answer;
  std::thread caller([&] { answer = call(sqs, request(Repeat::safe)); });
  clock_.await_sleepers(1);
  clock_.advance(milliseconds{1999});
  clock_.await_sleepers(1);
  EXPECT_EQ(peer_.count(), 1u);
  clock_.advance(milliseconds{1});
  caller.join();
  EXPECT_TRUE(answer);
  EXPECT_EQ(peer_.count(), 2u);
}

TEST_F(AwsClientTest, SaysSoIfItIsAskedToWaitTooLong) {
  auto sqs = client();
  // The clock stands at the midnight that begins 23 November 2026.
  for (const auto* later : {"30", "Mon, 23 Nov 2026 00:00:30 GMT"}) {
    peer_.say(reply(429, "", {"Retry-After", later}));
    const auto answer = call(sqs, request(Repeat::safe));
    EXPECT_EQ(answer.error().retry_after, seconds{30}) << later;
    EXPECT_EQ(peer_.count(), 1u);
  }
}

TEST_F(AwsClientTest, ServiceThatIsAwayCostsNothing) {
  auto sqs = client();
  peer_.say(reply(500));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(call(sqs, request(Repeat::unsafe)).error().code, "aws_unavailable");
  const auto open = call(sqs, request(Repeat::unsafe));
  EXPECT_EQ(open.error().code, "circuit_open");
  EXPECT_EQ(open.error().kind, ErrorKind::unavailable);
  EXPECT_EQ(open.error().retry_after, seconds{1});
  EXPECT_EQ(peer_.count(), 5u);

  clock_.advance(milliseconds{500});
  EXPECT_EQ(call(sqs, request(Repeat::unsafe)).error().code, "aws_unavailable");
  EXPECT_EQ(call(sqs, request(Repeat::unsafe)).error().code, "circuit_open");
  EXPECT_EQ(peer_.count(), 6u);

  clock_.advance(milliseconds{500});
  peer_.say(reply(200));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(call(sqs, request(Repeat::unsafe)));
}

TEST_F(AwsClientTest, OneServiceThatIsAwayIsNotAllOfThem) {
  auto sqs = client();
  auto dynamodb = client("dynamodb");
  peer_.say(reply(500));
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(call(sqs, request(Repeat::unsafe)));
  peer_.say(reply(200));
  EXPECT_EQ(call(sqs, request(Repeat::unsafe)).error().code, "circuit_open");
  EXPECT_TRUE(call(dynamodb, request(Repeat::unsafe)));
}

TEST_F(AwsClientTest, ThrottlingAndRefusalsOpenNothing) {
  auto sqs = client();
  for (const int status : {429, 400, 403, 404}) {
    peer_.say(reply(status));
    for (int i = 0; i < 6; ++i) EXPECT_NE(call(sqs, request(Repeat::unsafe)).error().code, "circuit_open") << status;
  }
}

TEST_F(AwsClientTest, LearnsTheServicesTime) {
  auto s3 = client("s3");
  const auto script = [](const Seen& seen, std::size_t) {
    if (seen.header("x-amz-date").starts_with("20261123T0100")) return reply(200);
    return reply(403, "<Error><Code>RequestTimeTooSkewed</Code></Error>", {"Date", "Mon, 23 Nov 2026 01:00:00 GMT"});
  };
  peer_.say(script);
  EXPECT_TRUE(call(s3, request(Repeat::unsafe)));
  EXPECT_EQ(peer_.count(), 2u);
  EXPECT_TRUE(call(s3, request(Repeat::unsafe)));
  EXPECT_EQ(peer_.count(), 3u);
  // Our clock is put right: it learns again.
  clock_.advance(std::chrono::hours{1});
  EXPECT_TRUE(call(s3, request(Repeat::unsafe)));
  EXPECT_EQ(peer_.count(), 5u);
}

TEST_F(AwsClientTest, AWrongSignatureAtTheRightTimeIsFinal) {
  auto s3 = client("s3");
  peer_.say(reply(403, "<Error><Code>SignatureDoesNotMatch</Code></Error>", {"Date", "Mon, 23 Nov 2026 00:03:00 GMT"}));
  EXPECT_EQ(call(s3, request(Repeat::safe)).error().code, "aws_denied");
  EXPECT_EQ(peer_.count(), 1u);
}

TEST_F(AwsClientTest, AsksForNewCredentialsOnce) {
  auto s3 = client("s3");
  const auto expired = reply(400, "<Error><Code>ExpiredToken</Code></Error>");
  say_in_turn({expired, reply(200)});
  EXPECT_TRUE(call(s3, request(Repeat::unsafe)));
  EXPECT_EQ(credentials_.refusals, 1);
  EXPECT_EQ(peer_.seen(0).header("x-amz-security-token"), "TOKEN0");
  EXPECT_EQ(peer_.seen(1).header("x-amz-security-token"), "TOKEN1");
  peer_.say(expired);
  EXPECT_EQ(call(s3, request(Repeat::safe)).error().code, "aws_denied");
  EXPECT_EQ(peer_.count(), 2u);
}

TEST_F(AwsClientTest, NothingIsSentWithoutCredentials) {
  auto s3 = client("s3");
  credentials_.missing = true;
  for (int i = 0; i < 6; ++i) EXPECT_EQ(call(s3, request(Repeat::safe)).error().code, "no_credentials");
  EXPECT_EQ(peer_.count(), 0u);
}

TEST_F(AwsClientTest, ACallOutlivesItsClient) {
  auto sqs =
      std::make_unique<AwsClient>(AwsService{"sqs", "eu-west-1", peer_.url()}, http_, credentials_, clock_, random_);
  peer_.say(reply(0));
  Result<net::Response> answer;
  auto late = request(Repeat::unsafe);
  late.attempt_timeout = milliseconds{300};
  auto task = sqs->call(late);
  std::thread caller([&] { answer = run(std::move(task)); });
  peer_.await(1);
  sqs.reset();
  caller.join();
  EXPECT_EQ(answer.error().code, "aws_timeout");
}

}  // namespace
}  // namespace infra::aws
