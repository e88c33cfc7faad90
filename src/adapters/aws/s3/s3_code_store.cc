#include "adapters/aws/s3/s3_code_store.h"

#include <fmt/format.h>

#include <charconv>
#include <utility>

#include "adapters/aws/s3/s3_source.h"
#include "adapters/aws/s3/s3_upload.h"
#include "core/error_codes.h"
#include "core/executable.h"
#include "core/object_keys.h"
#include "core/operator_error_codes.h"
#include "core/sha256.h"

namespace infra {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxAnswerBytes = 64 * limits::kMiB;  // S3 may give a whole object where a part is asked for
constexpr std::size_t kHashedInline = 64 * 1024;              // more takes an event thread too long
constexpr std::size_t kKeysSeen = 10'000;
constexpr std::string_view kRetired = "infra=retired";

// Of "bytes 0-8388607/52428800".
std::optional<std::uint64_t> total_of(std::string_view content_range) {
  const auto digits = content_range.substr(content_range.find('/') + 1);
  std::uint64_t total = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), total);
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return total;
}

std::unexpected<Error> away(const ErrorEntry& entry, std::string message) {
  return fail(Error{entry.as(ErrorKind::unavailable), std::move(message), std::chrono::seconds{1}});
}

std::unexpected<Error> no_code() {
  return fail(errors::code_not_found, "The function's code is not in the store; upload it again.");
}

// How much there is in all, as far as this answer says.
Result<std::uint64_t> size_of(const net::Response& answer) {
  const auto total =
      answer.status == 206 ? total_of(answer.headers.find("Content-Range").value_or("")) : answer.body.size();
  if (!total || answer.body.empty()) {
    return away(errors::code_store_unavailable, "S3 answered with a part that can't be placed; check S3_ENDPOINT.");
  }
  if (*total > limits::kMaxPackedBytes) {
    return fail(errors::bundle_too_large,
                fmt::format("The stored code is larger than {} MiB.", limits::kMaxPackedBytes / limits::kMiB));
  }
  return *total;
}

}  // namespace

S3CodeStore::S3CodeStore(aws::AwsClient& s3, std::string bucket, aws::BundleCacheOptions cache, Executor& executor,
                         Clock& clock)
    : bucket_(s3, std::move(bucket)),
      cache_(cache),
      staging_(cache.folder / "incoming", executor),
      fetches_(clock),
      executor_(executor),
      clock_(clock) {}

Task<Result<void>> S3CodeStore::put_bundle(const CodeRef& code, const fs::path& staged) {
  if (code.key.empty()) co_return fail(errors::no_code_key, "Code was to be stored under no key.");
  co_return co_await aws::upload_file(bucket_, executor_, code.key, staged);
}

Task<Result<fs::path>> S3CodeStore::fetch_bundle(const CodeRef& code) {
  if (code.key.empty()) co_return no_code();
  if (!is_sha256(code.sha256)) {
    co_return co_await fetches_.run("key " + code.key, [this, key = code.key] { return fetch_unknown(key); });
  }
  if (auto kept = co_await find_kept(code.sha256)) co_return std::move(*kept);
  co_return co_await fetches_.run(code.sha256, [this, code] { return fetch_known(code); });
}

Task<Result<fs::path>> S3CodeStore::fetch_known(CodeRef code) {
  auto bundle = co_await staging_.create();
  if (!bundle) co_return fail(bundle.error());
  if (const auto got = co_await download(code.key, "", **bundle); !got) co_return fail(got.error());
  if ((*bundle)->sha256() != code.sha256) {
    co_return away(errors::bundle_corrupt, "The stored code is not what was uploaded; upload the function again.");
  }
  co_return co_await keep(code.sha256, **bundle);
}

Task<Result<fs::path>> S3CodeStore::fetch_unknown(std::string key) {
  const Seen last = seen_at(key);
  const auto kept = co_await find_kept(last.sha256);
  auto bundle = co_await staging_.create();
  if (!bundle) co_return fail(bundle.error());
  const auto etag = co_await download(key, kept ? last.etag : "", **bundle);
  if (!etag) co_return fail(etag.error());
  if (!*etag) co_return *kept;
  remember(key, {.etag = **etag, .sha256 = (*bundle)->sha256()});
  co_return co_await keep((*bundle)->sha256(), **bundle);
}

Task<Result<std::optional<std::string>>> S3CodeStore::download(std::string key, std::string etag, StagedFile& into) {
  for (std::uint64_t total = 1; into.size() < total;) {
    const bool first = into.size() == 0;
    net::Headers headers;
    headers.add("Range", fmt::format("bytes={}-{}", into.size(), into.size() + aws::kS3PartBytes - 1));
    if (!etag.empty()) headers.add(first ? "If-None-Match" : "If-Match", etag);  // all parts of one version
    const auto answer = co_await bucket_.get(key, std::move(headers), aws::kS3PartBytes, kMaxAnswerBytes);
    if (!answer && answer.error().kind == ErrorKind::not_found) co_return no_code();
    if (!answer) co_return fail(answer.error());
    if (first && answer->status == 304) co_return std::nullopt;
    const auto size = size_of(*answer);
    if (!size) co_return fail(size.error());
    const std::string version(answer->headers.find("ETag").value_or(""));
    if (!first && (version != etag || *size != total)) {
      co_return away(errors::code_store_unavailable, "The stored code was replaced while it was read; try again.");
    }
    total = *size;
    etag = version;
    if (const auto written = co_await into.append(answer->body); !written) co_return fail(written.error());
  }
  if (const auto finished = co_await into.finish(); !finished) co_return fail(finished.error());
  co_return etag;
}

Task<std::optional<fs::path>> S3CodeStore::find_kept(std::string sha256) {
  std::optional<fs::path> kept;
  if (!sha256.empty()) co_await executor_.offload([&] { kept = cache_.find(sha256, clock_.steady_now()); });
  co_return kept;
}

Task<Result<fs::path>> S3CodeStore::keep(std::string sha256, const StagedFile& bundle) {
  Result<fs::path> kept;
  co_await executor_.offload([&] { kept = cache_.adopt(sha256, bundle.path(), bundle.size(), clock_.steady_now()); });
  co_return kept;
}

S3CodeStore::Seen S3CodeStore::seen_at(const std::string& key) {
  const MutexLock lock(mutex_);
  const auto found = seen_.find(key);
  return found == seen_.end() ? Seen{} : found->second;
}

void S3CodeStore::remember(const std::string& key, Seen seen) {
  const MutexLock lock(mutex_);
  if (seen_.size() >= kKeysSeen) seen_.erase(seen_.begin());
  seen_.insert_or_assign(key, std::move(seen));
}

// What is not there any more needs no rule to go.
Task<Result<void>> S3CodeStore::retire_bundle(const CodeRef& code) {
  if (code.key.empty()) co_return Result<void>{};
  const auto tagged = co_await bucket_.copy_to_itself(code.key, std::string(kRetired));
  if (!tagged && tagged.error().kind != ErrorKind::not_found) co_return fail(tagged.error());
  // What it was compiled to goes the same way. Another function with the same code has it compiled anew.
  for (const auto machine : kMachines) {
    if (!is_sha256(code.sha256)) break;
    const auto build = co_await bucket_.copy_to_itself(build_key(code.sha256, machine), std::string(kRetired));
    if (!build && build.error().kind != ErrorKind::not_found) co_return fail(build.error());
  }
  co_return Result<void>{};
}

Task<Result<void>> S3CodeStore::put_object(const std::string& key, std::string_view bytes) {
  if (auto allowed = check_object_key(key); !allowed) co_return allowed;
  aws::S3Body body{.bytes = std::string(bytes)};
  if (body.bytes.size() > kHashedInline) {
    co_await executor_.offload([&] { body.sha256 = sha256_of(body.bytes); });
  }
  const auto put = co_await bucket_.put(key, std::move(body));
  if (!put) co_return fail(put.error());
  co_return Result<void>{};
}

Task<Result<StoredFile>> S3CodeStore::put_file(const std::string& key, int file, std::uint64_t max_bytes) {
  if (auto allowed = check_object_key(key); !allowed) co_return fail(allowed.error());
  co_return co_await aws::upload_open_file(bucket_, executor_, key, file, max_bytes);
}

Task<Result<std::string>> S3CodeStore::get_object(const std::string& key) {
  if (auto allowed = check_object_key(key); !allowed) co_return fail(allowed.error());
  auto got = co_await bucket_.get(key, {}, aws::kS3PartBytes, kMaxAnswerBytes);
  if (!got) co_return fail(got.error());
  co_return std::move(got->body);
}

Task<Result<ByteSourcePtr>> S3CodeStore::open_object(const std::string& key) {
  if (auto allowed = check_object_key(key); !allowed) co_return fail(allowed.error());
  co_return co_await aws::open_s3_source(bucket_, key);
}

Task<Result<void>> S3CodeStore::remove_object(const std::string& key) {
  if (auto allowed = check_object_key(key); !allowed) co_return allowed;
  const auto removed = co_await bucket_.remove(key);
  if (!removed && removed.error().kind != ErrorKind::not_found) co_return fail(removed.error());
  co_return Result<void>{};
}

}  // namespace infra
