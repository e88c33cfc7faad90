// Objects that come in parts: begun, filled, and completed or aborted.
#include <fmt/format.h>

#include <charconv>
#include <utility>

#include "core/sha256.h"
#include "platform/engines/aws/simulated_s3.h"

namespace infra::simulation {
namespace {

constexpr std::size_t kLeastPart = 5 * 1024 * 1024;
constexpr int kMostParts = 10'000;

// The text between two marks, from `at` on, which moves behind it; empty at the end.
std::string_view between(std::string_view text, std::string_view open, std::string_view close, std::size_t& at) {
  const auto start = text.find(open, at);
  const auto end = start == std::string_view::npos ? start : text.find(close, start);
  if (end == std::string_view::npos) return {};
  at = end + close.size();
  return text.substr(start + open.size(), end - start - open.size());
}

int number(std::string_view text) {
  int value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

Answered<std::map<std::string, SimulatedS3::Upload>::iterator> SimulatedS3::find_upload(Bucket& bucket,
                                                                                        const std::string& key,
                                                                                        const ServiceRequest& request) {
  const auto found = bucket.uploads.find(net::query_value(request.query, "uploadId").value_or(""));
  if (found == bucket.uploads.end() || found->second.key != key)
    return refuse(404, "NoSuchUpload", "The specified multipart upload does not exist.");
  return found;
}

SimulatedS3::Answer SimulatedS3::begin_upload(Bucket& bucket, const std::string& key) {
  std::string id = fmt::format("upload.{:016x}", aws_.dice.draw());
  auto response = s3_answer(200, fmt::format("<InitiateMultipartUploadResult><Key>{}</Key><UploadId>{}</UploadId>"
                                             "</InitiateMultipartUploadResult>",
                                             key, id));
  bucket.uploads.emplace(std::move(id), Upload{.key = key, .begun = aws_.clock.now()});
  return response;
}

SimulatedS3::Answer SimulatedS3::put_part(Bucket& bucket, const std::string& key, const ServiceRequest& request) {
  const auto upload = find_upload(bucket, key, request);
  if (!upload) return std::unexpected(upload.error());
  const int part = number(net::query_value(request.query, "partNumber").value_or(""));
  if (part < 1 || part > kMostParts) return refuse(400, "InvalidArgument", "Part number must be between 1 and 10000");
  const std::string etag = s3_etag_of(request);
  (*upload)->second.parts[part] = {.bytes = std::make_shared<const std::string>(request.body), .etag = etag};
  auto response = s3_answer(200);
  response.headers.add("ETag", etag);
  return response;
}

SimulatedS3::Answer SimulatedS3::complete_upload(Bucket& bucket, const std::string& key,
                                                 const ServiceRequest& request) {
  const auto upload = find_upload(bucket, key, request);
  if (!upload) return std::unexpected(upload.error());
  const auto& parts = (*upload)->second.parts;
  std::string bytes;
  std::string etags;
  int last = 0;
  bool was_small = false;
  for (std::size_t at = 0;;) {
    const auto listed = between(request.body, "<PartNumber>", "</PartNumber>", at);
    if (listed.empty()) break;
    const auto etag = between(request.body, "<ETag>", "</ETag>", at);
    const int part = number(listed);
    if (part <= last) return refuse(400, "InvalidPartOrder", "The list of parts was not in ascending order.");
    const auto found = parts.find(part);
    if (found == parts.end() || found->second.etag != etag)
      return refuse(400, "InvalidPart", "One or more of the specified parts could not be found.");
    if (was_small) return refuse(400, "EntityTooSmall", "Your proposed upload is smaller than the minimum size.");
    was_small = found->second.bytes->size() < kLeastPart;
    bytes += *found->second.bytes;
    etags += found->second.etag;
    last = part;
  }
  if (last == 0) return refuse(400, "MalformedXML", "The XML you provided was not well-formed.");
  if (breaks_its_200()) return s3_broken_200();
  const std::string etag = fmt::format("\"{}-{}\"", sha256_of(etags).substr(0, 32), last);
  bucket.objects[key] = {
      .bytes = std::make_shared<const std::string>(std::move(bytes)), .etag = etag, .written = aws_.clock.now()};
  bucket.uploads.erase(*upload);
  return s3_answer(200,
                   fmt::format("<CompleteMultipartUploadResult><ETag>{}</ETag></CompleteMultipartUploadResult>", etag));
}

SimulatedS3::Answer SimulatedS3::abort_upload(Bucket& bucket, const std::string& key, const ServiceRequest& request) {
  const auto upload = find_upload(bucket, key, request);
  if (!upload) return std::unexpected(upload.error());
  bucket.uploads.erase(*upload);
  return s3_answer(204);
}

}  // namespace infra::simulation
