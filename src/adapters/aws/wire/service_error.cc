// The names are those of the services' API references; what is in no list is judged by its status.
#include "adapters/aws/wire/service_error.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json/parse.hpp>
#include <span>

#include "adapters/aws/wire/xml_text.h"
#include "core/error_codes.h"
#include "core/json_value.h"
#include "core/operator_error_codes.h"
#include "core/text.h"

namespace infra::aws {
namespace {

namespace json = boost::json;
using Names = std::span<const std::string_view>;

constexpr std::size_t kMaxName = 100;
constexpr std::size_t kMaxMessage = 200;

constexpr std::array<std::string_view, 15> kThrottled{
    "Throttling",       "ThrottlingException",       "ThrottledException",
    "RequestThrottled", "RequestThrottledException", "TooManyRequestsException",
    "SlowDown",         "LimitExceededException",    "ProvisionedThroughputExceededException",
    "OverLimit",        "RequestLimitExceeded",      "BandwidthLimitExceeded",
    "KmsThrottled",     "KMS.ThrottlingException",   "PriorRequestNotComplete"};
constexpr std::array<std::string_view, 4> kExpired{"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired",
                                                   "ExpiredTokenIdentity"};
// "Signature expired" and "not yet current" come under the name of any wrong signature, so the Date header decides.
constexpr std::array<std::string_view, 6> kSkewed{"RequestTimeTooSkewed",  "RequestExpired",
                                                  "RequestInTheFuture",    "InvalidSignatureException",
                                                  "SignatureDoesNotMatch", "InvalidSignature"};
constexpr std::array<std::string_view, 3> kBroken{"RequestTimeout", "RequestTimeoutException", "InternalError"};
constexpr std::array<std::string_view, 11> kDenied{"AccessDenied",
                                                   "AccessDeniedException",
                                                   "UnrecognizedClientException",
                                                   "InvalidClientTokenId",
                                                   "InvalidToken",
                                                   "InvalidAccessKeyId",
                                                   "MissingAuthenticationTokenException",
                                                   "MissingAuthenticationToken",
                                                   "IncompleteSignature",
                                                   "IncompleteSignatureException",
                                                   "NotAuthorized"};
constexpr ErrorEntry no_such_thing(std::string_view name) {
  return {name, ErrorKind::not_found, "The service has no such thing."};
}
constexpr ErrorEntry other_state(std::string_view name) {
  return {name, ErrorKind::conflict, "The service found another state than the request asks for."};
}

// Their names are the codes of our errors.
constexpr std::array kNamed{no_such_thing("ResourceNotFoundException"),
                            no_such_thing("QueueDoesNotExist"),
                            no_such_thing("AWS.SimpleQueueService.NonExistentQueue"),
                            no_such_thing("NoSuchKey"),
                            aws_names::no_such_bucket,
                            aws_names::no_such_upload,
                            no_such_thing("ReceiptHandleIsInvalid"),
                            no_such_thing("MessageNotInflight"),
                            no_such_thing("AWS.SimpleQueueService.MessageNotInflight"),
                            other_state("ConditionalCheckFailedException"),
                            other_state("PreconditionFailed"),
                            aws_names::wrong_hash,
                            other_state("TransactionCanceledException"),
                            other_state("TransactionConflictException"),
                            other_state("TransactionInProgressException")};
constexpr std::array<std::string_view, 5> kTooLarge{"EntityTooLarge", "RequestEntityTooLarge",
                                                    "MaxMessageLengthExceeded", "BatchRequestTooLong",
                                                    "AWS.SimpleQueueService.BatchRequestTooLong"};

bool is_in(Names names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

// What the name or else the status says is there, or not; null if neither says so.
const ErrorEntry* named(int status, std::string_view name) {
  const auto found = std::ranges::find_if(kNamed, [&](const ErrorEntry& entry) { return name == entry; });
  if (found != kNamed.end()) return &*found;
  if (status == 404) return &errors::aws_not_found;
  return status == 409 || status == 412 ? &errors::aws_conflict : nullptr;
}

// "com.amazonaws.dynamodb.v20120810#Name", "Name:http://…", "Name;Sender" -> "Name". It goes into logs and error codes,
// so nothing else than a name gets through.
std::string bare_name(std::string_view text) {
  text = text.substr(text.find('#') + 1);  // npos + 1 is 0
  text = text.substr(0, text.find_first_of(":;"));
  std::string name;
  for (const char c : text.substr(0, kMaxName)) {
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
    if (plain) name += c;
  }
  return name;
}

// Only the first line: after it some answers repeat the request that was signed, its session token included.
std::string first_line(std::string_view text) {
  return replace_invalid_utf8(cut_utf8(text.substr(0, text.find_first_of("\r\n")), kMaxMessage));
}

ServiceError read_json(std::string_view body) {
  boost::system::error_code error;
  const auto root = json::parse(body, error);
  if (error || !root.is_object()) return {};
  const auto& object = root.get_object();
  auto message = text_of(object, "message");
  if (message.empty()) message = text_of(object, "Message");
  auto name = text_of(object, "__type");
  if (name.empty()) name = text_of(object, "code");
  return {.name = bare_name(name), .message = first_line(message)};
}

std::string header_name(const net::Response& response, std::string_view header) {
  return bare_name(response.headers.find(header).value_or(""));
}

}  // namespace

ServiceError read_service_error(const net::Response& response) {
  const auto start = response.body.find_first_not_of(" \t\r\n");
  const char first = start == std::string::npos ? '\0' : response.body[start];
  ServiceError said;
  if (first == '{') said = read_json(response.body);
  if (first == '<') {
    said.name = bare_name(xml_text(response.body, "Code").value_or(""));
    said.message = first_line(xml_text(response.body, "Message").value_or(""));
  }
  if (said.name.empty()) said.name = header_name(response, "x-amzn-errortype");
  if (said.name.empty()) said.name = header_name(response, "x-amzn-query-error");
  return said;
}

Cause cause_of(int status, std::string_view name) {
  if (status == 429 || is_in(kThrottled, name)) return Cause::throttled;
  if (is_in(kExpired, name)) return Cause::expired_credentials;
  if (is_in(kSkewed, name)) return Cause::skewed_clock;
  if (status >= 500 || status == 408 || is_in(kBroken, name)) return Cause::broken;
  return Cause::refused;
}

Error to_error(std::string_view service, int status, const ServiceError& said, Cause cause) {
  const std::string word = said.name.empty() ? fmt::format("status {}", status) : said.name;
  const std::string because = said.message.empty() ? word : fmt::format("{}: {}", word, said.message);
  constexpr std::chrono::seconds kSoon{1};
  switch (cause) {
    case Cause::throttled:
      return {errors::aws_throttled,
              fmt::format("{} asks for fewer requests ({}); try again in a moment.", service, because), kSoon};
    case Cause::broken:
    case Cause::unreachable:
      return {errors::aws_unavailable, fmt::format("{} failed ({}); try again in a moment.", service, because), kSoon};
    case Cause::expired_credentials:
    case Cause::skewed_clock:
      return {errors::aws_denied,
              fmt::format("{} does not take our signature ({}); check the AWS credentials and this machine's clock.",
                          service, because),
              kSoon};
    case Cause::refused:
      break;
  }
  const ErrorEntry* const known = named(status, said.name);
  const bool is_missing = known != nullptr && known->kind == ErrorKind::not_found;
  if (is_in(kDenied, said.name) || status == 401 || (status == 403 && !is_missing))
    return {errors::aws_denied,
            fmt::format("{} denies access ({}); check the AWS credentials and their policy.", service, because), kSoon};
  if (is_missing) return {*known, fmt::format("{} has no such thing ({}).", service, because)};
  if (known != nullptr)
    return {*known, fmt::format("{} found another state than the request asks for ({}).", service, because)};
  if (status == 413 || is_in(kTooLarge, said.name))
    return {errors::aws_too_large, fmt::format("This is too large for {} ({}).", service, because)};
  return {errors::aws_refused,
          fmt::format("{} refused the request ({}); check the names, the region and the endpoint that it is given.",
                      service, because)};
}

bool surely_not_done(const Error& error) {
  static constexpr std::array kBefore{&errors::aws_throttled, &errors::circuit_open, &errors::no_credentials,
                                      &errors::aws_denied};
  return error.kind != ErrorKind::unavailable ||
         std::ranges::any_of(kBefore, [&](const ErrorEntry* entry) { return error.code == *entry; });
}

}  // namespace infra::aws
