#include "adapters/aws/s3/s3_source.h"

#include <fmt/format.h>

#include <charconv>
#include <utility>

#include "core/error_codes.h"
#include "core/limits.h"

namespace infra::aws {
namespace {

// S3 may give a whole object where a part is asked for.
constexpr std::uint64_t kMaxAnswerBytes = 64 * limits::kMiB;

std::unexpected<Error> misplaced() {
  return fail(Error{errors::code_store_unavailable, "S3 gave another part of an object than was asked for.",
                    std::chrono::seconds(1)});
}

class S3Source final : public ByteSource {
 public:
  S3Source(S3Bucket bucket, std::string key, std::string etag, std::uint64_t size)
      : bucket_(std::move(bucket)), key_(std::move(key)), etag_(std::move(etag)), size_(size) {}

  [[nodiscard]] std::uint64_t size() const override { return size_; }

  Task<Result<std::size_t>> read(std::span<char> buffer) override {
    if (used_ == part_.size() && fetched_ < size_) {
      if (auto fetched = co_await fetch(); !fetched) co_return fail(fetched.error());
    }
    const std::size_t count = part_.copy(buffer.data(), buffer.size(), used_);
    used_ += count;
    co_return count;
  }

 private:
  Task<Result<void>> fetch() {
    part_.clear();  // before the next one is there
    used_ = 0;
    const std::uint64_t wanted = std::min<std::uint64_t>(kSourcePartBytes, size_ - fetched_);
    net::Headers headers;
    headers.add("Range", fmt::format("bytes={}-{}", fetched_, fetched_ + wanted - 1));
    if (!etag_.empty()) headers.add("If-Match", etag_);
    auto answer = co_await bucket_.get(key_, std::move(headers), kSourcePartBytes, kMaxAnswerBytes);
    if (!answer) co_return fail(std::move(answer.error()));
    const bool is_whole = answer->status == 200 && fetched_ == 0 && answer->body.size() == size_;
    if (!is_whole && (answer->status != 206 || answer->body.size() != wanted)) co_return misplaced();
    part_ = std::move(answer->body);
    fetched_ += part_.size();
    co_return Result<void>{};
  }

  const S3Bucket bucket_;
  const std::string key_;
  const std::string etag_;
  const std::uint64_t size_;
  std::string part_;
  std::size_t used_ = 0;  // of the part
  std::uint64_t fetched_ = 0;
};

}  // namespace

Task<Result<ByteSourcePtr>> open_s3_source(S3Bucket bucket, std::string key) {
  const auto head = co_await bucket.head(key);
  if (!head) co_return fail(head.error());
  const auto length = head->headers.find("Content-Length").value_or("");
  std::uint64_t size = 0;
  const auto [end, error] = std::from_chars(length.data(), length.data() + length.size(), size);
  if (error != std::errc{} || end != length.data() + length.size()) co_return misplaced();
  std::string etag(head->headers.find("ETag").value_or(""));
  co_return std::make_shared<S3Source>(std::move(bucket), std::move(key), std::move(etag), size);
}

}  // namespace infra::aws
