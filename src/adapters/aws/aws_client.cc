// The attempt loop: sign, send, judge, and perhaps once more. What is judged how stands in service_error and
// retry_policy.
#include "adapters/aws/aws_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "adapters/aws/auth/sigv4.h"
#include "adapters/aws/circuit_breaker.h"
#include "adapters/aws/retry_policy.h"
#include "adapters/aws/wire/service_error.h"
#include "core/error_codes.h"
#include "core/operator_error_codes.h"
#include "telemetry/log.h"

namespace infra::aws {
namespace {

namespace json = boost::json;
using std::chrono::seconds;

// What Host says: the endpoint without scheme, and without the port that goes without saying.
std::string host_of(std::string_view endpoint) {
  const auto scheme_end = endpoint.find("://");
  if (scheme_end == std::string_view::npos) return std::string(endpoint);
  std::string_view host = endpoint.substr(scheme_end + 3);
  const std::string_view implied = endpoint.starts_with("https") ? ":443" : ":80";
  if (host.ends_with(implied)) host.remove_suffix(implied.size());
  return std::string(host);
}

std::unexpected<Error> too_late(std::string_view service) {
  return fail(Error{errors::aws_timeout, fmt::format("{} did not answer in time; try again in a moment.", service),
                    seconds{1}});
}

bool is_success(int status) {
  return (status >= 200 && status < 300) || status == 304;
}

// An attempt that failed.
struct Failure {
  Cause cause;
  Error error;
  milliseconds wait_at_least{0};
};

Failure failure_of(std::string_view service, const Error& error) {
  const bool late = error.kind == ErrorKind::timeout;
  // Anything else is ours: a request or an answer that can't be, or a body that can't be read.
  const bool is_its_own = late || error.kind == ErrorKind::unavailable;
  const auto cause = !is_its_own                              ? Cause::refused
                     : error.code == errors::http_unreachable ? Cause::unreachable
                                                              : Cause::broken;
  if (cause == Cause::refused) return {cause, error};
  return {cause, Error{late ? errors::aws_timeout : errors::aws_unavailable,
                       fmt::format("{} is away. {}", service, error.message), seconds{1}}};
}

Failure failure_of(std::string_view service, const net::Response& response, WallTime now) {
  const auto said = read_service_error(response);
  const auto cause = cause_of(response.status, said.name);
  Failure failure{cause, to_error(service, response.status, said, cause), retry_after(response.headers, now)};
  if (failure.error.kind == ErrorKind::unavailable)
    failure.error.retry_after = std::max(failure.error.retry_after, std::chrono::ceil<seconds>(failure.wait_at_least));
  return failure;
}

}  // namespace

struct AwsClient::State {
  State(AwsService s, net::HttpClient& h, CredentialProvider& c, Clock& k, Random& r)
      : service(std::move(s)),
        host(host_of(service.endpoint)),
        rules(signing_rules(service.name)),
        http(h),
        credentials(c),
        clock(k),
        random(r) {}

  // Keeps what it needs alive itself, the body included, which is lent to each attempt: a caller may be gone before its
  // call is.
  static Task<Result<net::Response>> run(std::shared_ptr<State> state, AwsRequest request);

  [[nodiscard]] WallTime service_now() const { return clock.now() + milliseconds{clock_offset_ms.load()}; }

  [[nodiscard]] net::ClientRequest signed_request(const AwsRequest& request, std::string_view payload_hash,
                                                  const Credentials& who, WallTime time, milliseconds timeout) const {
    net::ClientRequest out{.method = request.method,
                           .url = service.endpoint + request.path,
                           .headers = request.headers,
                           .borrowed_body = request.body,
                           .open_body = request.open_body,
                           .timeout = timeout,
                           .max_response_bytes = request.max_response_bytes};
    if (!request.query.empty()) out.url.append("?").append(request.query);
    out.headers.set("Host", host);
    const auto signature = sign({.method = request.method,
                                 .path = request.path,
                                 .query = request.query,
                                 .headers = out.headers,
                                 .payload_hash = payload_hash},
                                who, {.region = service.region, .service = service.name, .time = time}, rules);
    for (const auto& [name, value] : signature.headers.all()) out.headers.add(name, value);
    return out;
  }

  // An answer of any kind shows that the service is there, a 5xx aside.
  void tell_breaker(bool answered) {
    if (answered) {
      if (breaker.succeeded()) log::info("AWS service answers again", {{"service", service.name}});
    } else if (breaker.failed(clock.steady_now())) {
      log::warn("AWS service does not answer, calls to it fail at once", {{"service", service.name}});
    }
  }

  const AwsService service;
  const std::string host;
  const SigningRules rules;
  net::HttpClient& http;
  CredentialProvider& credentials;
  Clock& clock;
  Random& random;
  CircuitBreaker breaker;
  std::atomic<std::int64_t> clock_offset_ms{0};  // of the service's clock to ours, once it refused ours
};

Task<Result<net::Response>> AwsClient::State::run(std::shared_ptr<State> state, AwsRequest request) {
  const std::string& service = state->service.name;
  const SteadyTime deadline = state->clock.steady_now() + request.timeout;
  const auto known_hash = request.headers.find("x-amz-content-sha256");
  const std::string payload_hash = known_hash ? std::string(*known_hash) : sha256_hex(request.body);
  bool renewed = false;
  bool synchronized = false;
  int attempt = 1;
  while (true) {
    const auto who = co_await state->credentials.get(deadline);
    if (!who) co_return fail(who.error());
    const auto left = std::chrono::floor<milliseconds>(deadline - state->clock.steady_now());
    if (left <= milliseconds{0}) co_return too_late(service);
    if (!state->breaker.admits(state->clock.steady_now())) {
      co_return fail(
          Error{errors::circuit_open, fmt::format("{} has been failing; try again in a moment.", service), seconds{1}});
    }
    const WallTime signed_at = state->service_now();
    const auto answer = co_await state->http.send(
        state->signed_request(request, payload_hash, *who, signed_at, std::min(request.attempt_timeout, left)));
    if (answer && is_success(answer->status)) {
      state->tell_breaker(true);
      co_return answer;
    }
    Failure failure = answer ? failure_of(service, *answer, signed_at) : failure_of(service, answer.error());
    state->tell_breaker(failure.cause != Cause::unreachable && failure.cause != Cause::broken);

    if (failure.cause == Cause::expired_credentials && !renewed) {
      renewed = true;
      state->credentials.refused(*who);
      continue;
    }
    if (failure.cause == Cause::skewed_clock && !synchronized) {
      synchronized = true;
      if (const auto ahead = clock_offset(answer->headers, signed_at)) {
        state->clock_offset_ms = (signed_at + *ahead - state->clock.now()).count();
        continue;
      }
    }
    if (attempt == kMaxAttempts || !may_repeat(failure.cause, request.repeat)) co_return fail(std::move(failure.error));
    const SteadyTime next =
        state->clock.steady_now() + std::max(backoff(attempt, state->random), failure.wait_at_least);
    if (next >= deadline) co_return fail(std::move(failure.error));
    co_await state->clock.sleep_until(next);
    ++attempt;
  }
}

AwsClient::AwsClient(AwsService service, net::HttpClient& http, CredentialProvider& credentials, Clock& clock,
                     Random& random)
    : state_(std::make_shared<State>(std::move(service), http, credentials, clock, random)) {}

AwsClient::~AwsClient() = default;

Task<Result<net::Response>> AwsClient::call(AwsRequest request) {
  return State::run(state_, std::move(request));
}

Task<Result<json::object>> AwsClient::call_json(std::string target, json::object body, Repeat repeat,
                                                milliseconds timeout, milliseconds attempt_timeout) {
  const auto state = state_;
  AwsRequest request{
      .body = json::serialize(body), .repeat = repeat, .timeout = timeout, .attempt_timeout = attempt_timeout};
  request.headers.add("Content-Type", "application/x-amz-json-1.0");
  request.headers.add("X-Amz-Target", std::move(target));
  const auto answer = co_await State::run(state, std::move(request));
  if (!answer) co_return fail(answer.error());
  if (answer->body.empty()) co_return json::object{};
  boost::system::error_code error;
  auto root = json::parse(answer->body, error);
  if (error || !root.is_object()) {
    co_return fail(Error{
        errors::aws_unavailable,
        fmt::format("{} answered with something that is no JSON object; check its endpoint.", state->service.name),
        seconds{1}});
  }
  co_return std::move(root.get_object());
}

const AwsService& AwsClient::service() const {
  return state_->service;
}

}  // namespace infra::aws
