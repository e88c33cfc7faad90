#include "adapters/aws/s3/s3_bucket.h"

#include <fmt/format.h>

#include <utility>

#include "adapters/aws/wire/service_error.h"
#include "core/error_codes.h"
#include "core/limits.h"
#include "core/operator_error_codes.h"

namespace infra::aws {
namespace {

// Slashes stand; all else that is not unreserved is encoded, once.
std::string encode_key(std::string_view key) {
  std::string path;
  for (auto slash = key.find('/'); slash != std::string_view::npos; slash = key.find('/')) {
    path.append(net::percent_encode(key.substr(0, slash))).append("/");
    key.remove_prefix(slash + 1);
  }
  return path + net::percent_encode(key);
}

std::unexpected<Error> away(std::string message) {
  return fail(Error{errors::code_store_unavailable, std::move(message), std::chrono::seconds{1}});
}

std::unexpected<Error> translate(Error error, const std::string& bucket) {
  switch (error.kind) {
    case ErrorKind::unavailable:
    case ErrorKind::too_large:
      return fail(std::move(error));
    case ErrorKind::not_found:
      if (error.code == aws_names::no_such_bucket) {
        return away(fmt::format("The bucket {} does not exist; check BUCKET_NAME and AWS_REGION.", bucket));
      }
      if (error.code == aws_names::no_such_upload) return fail(std::move(error));
      return fail(errors::object_not_found, "There is no object of this key.");
    case ErrorKind::internal:
      return fail(std::move(error));
    case ErrorKind::conflict:
      if (error.code == aws_names::wrong_hash || error.code == errors::http_body_short) {
        return fail(errors::file_changed, "A file was written to while it was sent to S3, which has nothing of it.");
      }
      return away("S3 is busy with this object; try again in a moment.");
    default:
      return fail(errors::s3_refused, std::move(error.message));
  }
}

}  // namespace

bool is_bucket_host(std::string_view endpoint, std::string_view bucket) {
  const auto scheme = endpoint.find("://");
  const auto host = scheme == std::string_view::npos ? endpoint : endpoint.substr(scheme + 3);
  return host.starts_with(bucket) && host.substr(bucket.size()).starts_with('.');
}

S3Bucket::S3Bucket(AwsClient& s3, std::string bucket)
    : s3_(s3), bucket_(std::move(bucket)), virtual_hosted_(is_bucket_host(s3.service().endpoint, bucket_)) {}

// A connection that gives less than 1 MiB a second is not waited for.
AwsRequest S3Bucket::request(std::string method, std::string_view key, std::string query, std::uint64_t bytes) const {
  const milliseconds transfer{static_cast<std::int64_t>(bytes * 1000 / limits::kMiB)};
  AwsRequest out{.method = std::move(method), .path = "/", .query = std::move(query)};
  if (!virtual_hosted_) out.path += key.empty() ? bucket_ : bucket_ + "/";
  out.path += encode_key(key);
  out.attempt_timeout = milliseconds{2000} + transfer;
  out.timeout = milliseconds{3000} + 2 * transfer;
  return out;
}

Task<Result<net::Response>> S3Bucket::call(AwsRequest request) const {
  auto answer = co_await s3_.call(std::move(request));
  if (!answer) co_return translate(std::move(answer.error()), bucket_);
  co_return answer;
}

Task<Result<net::Response>> S3Bucket::call_for_xml(AwsRequest request) const {
  auto answer = co_await call(std::move(request));
  if (!answer) co_return answer;
  const auto said = read_service_error(*answer);
  if (said.name.empty()) co_return answer;
  co_return away(fmt::format("S3 failed ({}); try again in a moment.", said.name));
}

Task<Result<net::Response>> S3Bucket::head() {
  auto answer = co_await call(request("HEAD", "", "", 0));
  if (answer || answer.error().kind != ErrorKind::not_found) co_return answer;
  co_return away(fmt::format("The bucket {} does not exist; check BUCKET_NAME and AWS_REGION.", bucket_));
}

Task<Result<net::Response>> S3Bucket::head(std::string key) const {
  return call(request("HEAD", key, "", 0));
}

Task<Result<net::Response>> S3Bucket::put(std::string key, S3Body body, std::string query) const {
  auto out = request("PUT", key, std::move(query), body.open ? body.size : body.bytes.size());
  if (!body.sha256.empty()) out.headers.add("x-amz-content-sha256", std::move(body.sha256));
  out.body = std::move(body.bytes);
  out.open_body = std::move(body.open);
  return call(std::move(out));
}

Task<Result<net::Response>> S3Bucket::remove(std::string key, std::string query) const {
  return call(request("DELETE", key, std::move(query), 0));
}

Task<Result<net::Response>> S3Bucket::get(std::string key, net::Headers headers, std::uint64_t expected_bytes,
                                          std::uint64_t max_bytes) const {
  auto out = request("GET", key, "", expected_bytes);
  out.headers = std::move(headers);
  out.max_response_bytes = max_bytes;
  return call(std::move(out));
}

Task<Result<net::Response>> S3Bucket::post(std::string key, std::string query, std::string body) const {
  auto out = request("POST", key, std::move(query), limits::kMiB);
  out.body = std::move(body);
  return call_for_xml(std::move(out));
}

Task<Result<net::Response>> S3Bucket::copy_to_itself(std::string key, std::string tag) const {
  auto out = request("PUT", key, "", limits::kMiB);
  out.headers.add("x-amz-copy-source", fmt::format("/{}/{}", bucket_, encode_key(key)));
  out.headers.add("x-amz-metadata-directive", "REPLACE");
  out.headers.add("x-amz-tagging-directive", "REPLACE");
  out.headers.add("x-amz-tagging", std::move(tag));
  return call_for_xml(std::move(out));
}

}  // namespace infra::aws
