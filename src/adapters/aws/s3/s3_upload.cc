#include "adapters/aws/s3/s3_upload.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <vector>

#include "adapters/aws/wire/service_error.h"
#include "adapters/aws/wire/xml_text.h"
#include "adapters/system/file_pieces.h"
#include "adapters/system/file_source.h"
#include "adapters/system/posix_file.h"
#include "core/error_codes.h"
#include "core/sha256.h"

namespace infra::aws {
namespace {

// Shared with the blocking pool, which may still read when a coroutine that is being shut down is destroyed.
struct Source {
  Descriptor file;
  std::uint64_t size = 0;
};

Result<void> open_source(Source& source, const std::filesystem::path& path) {
  source.file = Descriptor(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  struct stat info{};
  if (!source.file || ::fstat(source.file.get(), &info) != 0) return disk_error("opening an upload", errno);
  source.size = static_cast<std::uint64_t>(info.st_size);
  return {};
}

Result<S3Body> read_part(const Source& source, std::uint64_t offset) {
  S3Body part;
  part.bytes.resize(std::min(kS3PartBytes, source.size - offset));
  for (std::size_t done = 0; done < part.bytes.size();) {
    const ssize_t n = ::pread(source.file.get(), part.bytes.data() + done, part.bytes.size() - done,
                              static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return disk_error("reading an upload", n < 0 ? errno : EIO);
    done += static_cast<std::size_t>(n);
  }
  part.sha256 = sha256_of(part.bytes);
  return part;
}

Task<Result<S3Body>> next_part(Executor& executor, std::shared_ptr<const Source> source, std::uint64_t offset) {
  const auto part = std::make_shared<Result<S3Body>>();
  co_await executor.offload([=] { *part = read_part(*source, offset); });
  co_return std::move(*part);
}

std::unexpected<Error> unexpected_answer() {
  return fail(Error{errors::code_store_unavailable, "S3 gave an upload no id or part no ETag; check S3_ENDPOINT.",
                    std::chrono::seconds{1}});
}

std::string part_list(const std::vector<std::string>& etags) {
  std::string xml = R"(<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">)";
  for (std::size_t i = 0; i < etags.size(); ++i) {
    xml += fmt::format("<Part><PartNumber>{}</PartNumber><ETag>{}</ETag></Part>", i + 1, etags[i]);
  }
  return xml + "</CompleteMultipartUpload>";
}

Task<Result<std::vector<std::string>>> put_parts(const S3Bucket& bucket, Executor& executor, std::string key,
                                                 std::string upload, std::shared_ptr<const Source> source) {
  std::vector<std::string> etags;
  for (std::uint64_t offset = 0; offset < source->size; offset += kS3PartBytes) {
    auto part = co_await next_part(executor, source, offset);
    if (!part) co_return fail(part.error());
    const auto query = fmt::format("partNumber={}&uploadId={}", etags.size() + 1, upload);
    const auto answer = co_await bucket.put(key, std::move(*part), query);
    if (!answer) co_return fail(answer.error());
    const auto etag = answer->headers.find("ETag");
    if (!etag) co_return unexpected_answer();
    etags.emplace_back(*etag);
  }
  co_return etags;
}

// A completion whose answer was lost and that was sent again finds no upload any more, but the object.
Task<Result<void>> complete(const S3Bucket& bucket, std::string key, std::string upload, std::string parts) {
  const auto done = co_await bucket.post(key, "uploadId=" + upload, std::move(parts));
  if (done) co_return Result<void>{};
  if (done.error().code != aws_names::no_such_upload) co_return fail(done.error());
  const auto object = co_await bucket.head(key);
  if (!object) co_return fail(object.error());
  co_return Result<void>{};
}

Task<Result<void>> put_in_parts(const S3Bucket& bucket, Executor& executor, std::string key,
                                std::shared_ptr<const Source> source) {
  const auto begun = co_await bucket.post(key, "uploads=");
  if (!begun) co_return fail(begun.error());
  const auto id = xml_text(begun->body, "UploadId");
  if (!id) co_return unexpected_answer();
  const std::string upload = net::percent_encode(*id);

  const auto etags = co_await put_parts(bucket, executor, key, upload, std::move(source));
  auto done = etags ? co_await complete(bucket, key, upload, part_list(*etags)) : Result<void>(fail(etags.error()));
  if (!done) (void)co_await bucket.remove(key, "uploadId=" + upload);
  co_return done;
}

}  // namespace

Task<Result<void>> upload_file(const S3Bucket& bucket, Executor& executor, std::string key,
                               std::filesystem::path file) {
  const auto source = std::make_shared<Source>();
  const auto opened = std::make_shared<Result<void>>();
  co_await executor.offload([=, file = std::move(file)] { *opened = open_source(*source, file); });
  if (!*opened) co_return *opened;
  if (source->size > kS3PartBytes) co_return co_await put_in_parts(bucket, executor, std::move(key), source);

  auto whole = co_await next_part(executor, source, 0);
  if (!whole) co_return fail(whole.error());
  const auto answer = co_await bucket.put(std::move(key), std::move(*whole));
  if (!answer) co_return fail(answer.error());
  co_return Result<void>{};
}

Task<Result<StoredFile>> upload_open_file(const S3Bucket& bucket, Executor& executor, std::string key, int file,
                                          std::uint64_t max_bytes) {
  const auto shared = share_file(file, max_bytes);
  if (!shared) co_return fail(shared.error());
  const auto hashed = std::make_shared<Result<StoredFile>>();
  co_await executor.offload([=, from = *shared] {
    *hashed = read_in_pieces(from->get(), max_bytes, [](std::span<const char>) { return Result<void>{}; });
  });
  if (!*hashed) co_return fail(hashed->error());
  S3Body body{.sha256 = (*hashed)->sha256, .size = (*hashed)->size};
  if (body.size > 0) {
    body.open = [from = *shared, size = body.size, &executor] { return make_file_source(from, size, executor); };
  }
  const auto answer = co_await bucket.put(std::move(key), std::move(body));
  if (!answer) co_return fail(answer.error());
  co_return std::move(**hashed);
}

}  // namespace infra::aws
