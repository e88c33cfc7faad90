// One AWS service as the adapters call it: signed requests over pooled connections, a deadline on every call, retries
// where they are safe, and a circuit breaker so that a service that is away costs its callers nothing.
#pragma once

#include <boost/json/object.hpp>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "adapters/aws/auth/credentials.h"
#include "core/error.h"
#include "core/task.h"
#include "net/http/http_client.h"
#include "ports/clock.h"
#include "ports/random.h"

namespace infra::aws {

struct AwsService {
  std::string name;      // the signing name: "s3", "sqs", "dynamodb"; also names it in messages
  std::string region;    // "ap-northeast-2"
  std::string endpoint;  // "https://sqs.ap-northeast-2.amazonaws.com", no trailing slash; may have a port
};

// Whether a request that may have been carried out can be sent again.
enum class Repeat : std::uint8_t { safe, unsafe };

struct AwsRequest {
  std::string method = "POST";
  std::string path = "/";  // percent-encoded as it is sent, starting with '/'
  std::string query{};     // percent-encoded, without '?'
  // Beside host, x-amz-date, authorization, x-amz-security-token. An x-amz-content-sha256 here is believed, so that a
  // hash that is known already is not computed on the event thread.
  net::Headers headers{};
  std::string body{};
  // In place of `body`, opened for each attempt (net/http/http_client.h); its hash must be among the headers.
  std::function<ByteSourcePtr()> open_body{};
  Repeat repeat = Repeat::safe;
  milliseconds timeout{3000};          // for the whole call, retries and credentials included
  milliseconds attempt_timeout{2000};  // for one attempt
  std::uint64_t max_response_bytes = 64 * 1024 * 1024;
};

// An answer that is no success is an Error:
//   not_found    404, ResourceNotFoundException, a dead receipt …; `code` is the service's own name for it, which tells
//   a
//                missing key (NoSuchKey) from a missing bucket, table or queue; "aws_not_found" if it gave none
//   conflict     409, 412, ConditionalCheckFailedException …; `code` as above, or "aws_conflict"
//   too_large    413, EntityTooLarge …, or an answer over max_response_bytes
//   invalid      any other 4xx (code aws_refused): a bug or a wrong setting; the message has the service's words
//   as it is     what `open_body` failed with, unless that is `unavailable` or `timeout`
//   unavailable  throttled (aws_throttled), 5xx or no connection (aws_unavailable), deadline passed (aws_timeout),
//   breaker
//                open (circuit_open), no credentials (no_credentials), or they are not good for this (aws_denied);
//                retry_after is 1 s or what Retry-After said
class AwsClient {
 public:
  AwsClient(AwsService service, net::HttpClient& http, CredentialProvider& credentials, Clock& clock, Random& random);
  ~AwsClient();
  AwsClient(const AwsClient&) = delete;
  AwsClient& operator=(const AwsClient&) = delete;

  // 2xx and 304 are answers. Any event thread; resumes there.
  Task<Result<net::Response>> call(AwsRequest request);

  // The JSON protocols (SQS: version "1.0", target "AmazonSQS.SendMessage"; DynamoDB: "1.0",
  // "DynamoDB_20120810.GetItem"): posts `body` and reads the answer, an empty one as {}.
  Task<Result<boost::json::object>> call_json(std::string target, boost::json::object body, Repeat repeat,
                                              milliseconds timeout = milliseconds{3000},
                                              milliseconds attempt_timeout = milliseconds{2000});

  [[nodiscard]] const AwsService& service() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace infra::aws
