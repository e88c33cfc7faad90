#include "platform/engines/aws/simulated_s3.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>
#include <stdexcept>
#include <utility>

#include "core/sha256.h"
#include "platform/engines/aws/aws_answers.h"

namespace infra::simulation {
namespace {

using std::chrono::hours;

constexpr milliseconds kMostSkew = std::chrono::minutes{15};
constexpr hours kDay{24};
constexpr hours kUnfinished = kDay;

struct Range {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
};

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// "bytes=0-99"; nullopt for what is not simulated.
std::optional<Range> read_range(std::string_view text) {
  if (!text.starts_with("bytes=")) return std::nullopt;
  text.remove_prefix(sizeof("bytes=") - 1);
  const auto dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto first = number(text.substr(0, dash));
  const auto last = number(text.substr(dash + 1));
  if (!first || !last || *last < *first) return std::nullopt;
  return Range{.first = *first, .last = *last};
}

std::unexpected<Refusal> no_such_key() {
  return refuse(404, "NoSuchKey", "The specified key does not exist.");
}

// The bucket and the encoded key, whichever way it is addressed.
std::pair<std::string, std::string_view> place_of(const ServiceRequest& request) {
  const std::string_view path = std::string_view(request.path).substr(1);
  const auto in_host = request.host.find(".s3.");
  if (in_host != std::string::npos) return {request.host.substr(0, in_host), path};
  const auto slash = path.find('/');
  return {std::string(path.substr(0, slash)), slash == std::string_view::npos ? "" : path.substr(slash + 1)};
}

std::optional<Refusal> check_hash(const ServiceRequest& request) {
  const auto hash = request.headers.find("x-amz-content-sha256");
  if (!hash) {
    return Refusal{.status = 400, .name = "InvalidRequest", .message = "Missing header: x-amz-content-sha256"};
  }
  if (*hash == "UNSIGNED-PAYLOAD" || *hash == sha256_of(request.body)) return std::nullopt;
  return Refusal{.status = 400,
                 .name = "XAmzContentSHA256Mismatch",
                 .message = "The provided 'x-amz-content-sha256' header does not match what was computed."};
}

}  // namespace

// The hash in its header has been found right.
std::string s3_etag_of(const ServiceRequest& request) {
  const auto known = request.headers.find("x-amz-content-sha256");
  const bool is_hash = known && is_sha256(*known);
  return fmt::format("\"{}\"", (is_hash ? std::string(*known) : sha256_of(request.body)).substr(0, 32));
}

net::Response s3_answer(int status, std::string body) {
  return {.status = status, .headers = {}, .body = std::move(body)};
}

net::Response s3_broken_200() {
  auto response = xml_refusal({.status = 500, .name = "InternalError", .message = "We encountered an internal error."});
  response.status = 200;
  return response;
}

void SimulatedS3::make_bucket(const std::string& name, std::vector<LifecycleRule> rules) {
  buckets_.emplace(name, Bucket{.rules = std::move(rules)});
}

std::vector<LifecycleRule> SimulatedS3::rules_of_the_docs() {
  return {{.prefix = "results/", .age = 2 * kDay},
          {.prefix = "payloads/", .age = 15 * kDay},
          {.prefix = "outputs/", .age = 30 * kDay},
          {.tag = "infra=retired", .age = 15 * kDay}};
}

std::map<std::string, S3Object> SimulatedS3::objects(const std::string& bucket) {
  expire(buckets_.at(bucket));
  return buckets_.at(bucket).objects;
}

std::size_t SimulatedS3::unfinished_uploads(const std::string& bucket) {
  expire(buckets_.at(bucket));
  return buckets_.at(bucket).uploads.size();
}

net::Response SimulatedS3::refusal(const Refusal& refusal) const {
  return xml_refusal(refusal);
}

Refusal SimulatedS3::too_many_requests() const {
  return {.status = 503, .name = "SlowDown", .message = "Please reduce your request rate."};
}

Refusal SimulatedS3::failure() const {
  return {.status = 500, .name = "InternalError", .message = "We encountered an internal error. Please try again."};
}

std::optional<Refusal> SimulatedS3::refuse_date(milliseconds ahead) const {
  if (std::chrono::abs(ahead) <= kMostSkew) return std::nullopt;
  return Refusal{.status = 403,
                 .name = "RequestTimeTooSkewed",
                 .message = "The difference between the request time and the server's time is too large."};
}

bool SimulatedS3::breaks_its_200() {
  return aws_.dice.chance(aws_.faults.s3.broken_200);
}

void SimulatedS3::expire(Bucket& bucket) const {
  const WallTime now = aws_.clock.now();
  std::erase_if(bucket.objects, [&](const auto& entry) {
    return std::ranges::any_of(bucket.rules, [&](const LifecycleRule& rule) {
      return entry.first.starts_with(rule.prefix) && (rule.tag.empty() || rule.tag == entry.second.tag) &&
             entry.second.written + rule.age <= now;
    });
  });
  std::erase_if(bucket.uploads, [&](const auto& entry) { return entry.second.begun + kUnfinished <= now; });
}

net::Response SimulatedS3::answer(const ServiceRequest& request) {
  auto done = carry_out(request);
  return done ? std::move(*done) : refusal(done.error());
}

SimulatedS3::Answer SimulatedS3::carry_out(const ServiceRequest& request) {
  const auto [name, encoded_key] = place_of(request);
  const auto bucket = buckets_.find(name);
  if (bucket == buckets_.end()) return refuse(404, "NoSuchBucket", "The specified bucket does not exist.");
  if (const auto wrong = check_hash(request)) return std::unexpected(*wrong);
  const auto key = net::percent_decode(encoded_key);
  if (!key || key->size() > 1024) return refuse(400, "InvalidURI", "Couldn't parse the specified URI.");
  expire(bucket->second);
  if (!key->empty()) return on_object(bucket->second, *key, request);
  if (request.method == "HEAD" && request.query.empty()) return s3_answer(200);
  aws_.complain(fmt::format("S3 was asked to {} a bucket, ?{}", request.method, request.query));
  return refuse(405, "MethodNotAllowed");
}

SimulatedS3::Answer SimulatedS3::on_object(Bucket& bucket, const std::string& key, const ServiceRequest& request) {
  static const std::set<std::string_view> kKnown{"x-amz-content-sha256",
                                                 "x-amz-date",
                                                 "x-amz-security-token",
                                                 "x-amz-copy-source",
                                                 "x-amz-metadata-directive",
                                                 "x-amz-tagging-directive",
                                                 "x-amz-tagging"};
  for (const auto& [header, value] : request.headers.all()) {
    std::string lower = header;
    std::ranges::transform(lower, lower.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c; });
    if (lower.starts_with("x-amz-") && !kKnown.contains(lower)) aws_.complain("S3 was sent " + lower);
  }
  const bool has_upload = net::query_value(request.query, "uploadId").has_value();
  const std::string& method = request.method;
  if (request.query.empty()) {
    if (method == "GET" || method == "HEAD") return get(bucket, key, request);
    if (method == "PUT" && request.headers.find("x-amz-copy-source")) return copy(bucket, key, request);
    if (method == "PUT") return put(bucket, key, request);
    if (method == "DELETE") {
      bucket.objects.erase(key);
      return s3_answer(204);
    }
  }
  if (method == "POST" && (request.query == "uploads=" || request.query == "uploads")) return begin_upload(bucket, key);
  if (method == "PUT" && has_upload) return put_part(bucket, key, request);
  if (method == "POST" && has_upload) return complete_upload(bucket, key, request);
  if (method == "DELETE" && has_upload) return abort_upload(bucket, key, request);
  aws_.complain(fmt::format("S3 was asked to {} {}?{}", method, key, request.query));
  return refuse(405, "MethodNotAllowed");
}

SimulatedS3::Answer SimulatedS3::get(const Bucket& bucket, const std::string& key,
                                     const ServiceRequest& request) const {
  const auto found = bucket.objects.find(key);
  if (found == bucket.objects.end()) return no_such_key();
  const S3Object& object = found->second;
  const auto wanted = request.headers.find("If-Match");
  if (wanted && *wanted != object.etag)
    return refuse(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold.");
  const std::uint64_t size = object.bytes->size();
  auto response = s3_answer(200);
  response.headers.add("ETag", object.etag);
  response.headers.add("Last-Modified", http_date(object.written));
  if (request.headers.find("If-None-Match") == object.etag) {
    response.status = 304;
    return response;
  }
  Range range{.first = 0, .last = size};
  if (const auto asked = request.headers.find("Range")) {
    const auto read = read_range(*asked);
    if (!read) aws_.complain(fmt::format("S3 was asked for the range {}", *asked));
    if (!read || read->first >= size) return refuse(416, "InvalidRange", "The requested range is not satisfiable");
    range = {.first = read->first, .last = std::min(read->last, size - 1)};
    response.status = 206;
    response.headers.add("Content-Range", fmt::format("bytes {}-{}/{}", range.first, range.last, size));
    response.body = object.bytes->substr(range.first, range.last - range.first + 1);
  } else if (request.method == "GET") {
    response.body = *object.bytes;
  }
  response.headers.add("Content-Length", std::to_string(request.method == "HEAD" ? size : response.body.size()));
  return response;
}

SimulatedS3::Answer SimulatedS3::put(Bucket& bucket, const std::string& key, const ServiceRequest& request) {
  const std::string etag = s3_etag_of(request);
  bucket.objects[key] = {.bytes = std::make_shared<const std::string>(request.body),
                         .etag = etag,
                         .tag = std::string(request.headers.find("x-amz-tagging").value_or("")),
                         .written = aws_.clock.now()};
  auto response = s3_answer(200);
  response.headers.add("ETag", etag);
  return response;
}

// Within its bucket. S3 copies an object to itself only if something about it changes.
SimulatedS3::Answer SimulatedS3::copy(Bucket& bucket, const std::string& key, const ServiceRequest& request) {
  const std::string_view encoded = request.headers.find("x-amz-copy-source").value_or("");
  const auto from = net::percent_decode(encoded.substr(encoded.find('/', 1) + 1));
  const bool replaces = request.headers.find("x-amz-metadata-directive") == "REPLACE";
  if (!from || encoded != "/" + place_of(request).first + "/" + std::string(encoded.substr(encoded.find('/', 1) + 1)))
    aws_.complain(fmt::format("S3 was asked to copy {}", encoded));
  const auto source = bucket.objects.find(from.value_or(""));
  if (source == bucket.objects.end()) return no_such_key();
  if (from == key && !replaces)
    return refuse(400, "InvalidRequest", "This copy request is illegal because it changes nothing.");
  if (breaks_its_200()) return s3_broken_200();
  S3Object object = source->second;
  object.written = aws_.clock.now();
  if (request.headers.find("x-amz-tagging-directive") == "REPLACE")
    object.tag = std::string(request.headers.find("x-amz-tagging").value_or(""));
  const std::string etag = object.etag;
  bucket.objects[key] = std::move(object);
  return s3_answer(200, fmt::format("<CopyObjectResult><ETag>{}</ETag></CopyObjectResult>", etag));
}

}  // namespace infra::simulation
