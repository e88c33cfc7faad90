#include "adapters/system/file_staging.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include "adapters/system/posix_file.h"
#include "core/sha256.h"

namespace infra {
namespace {

// Shared with the work on the blocking pool, which may still run when a coroutine that is being shut down is destroyed.
struct OpenUpload {
  OpenUpload(std::filesystem::path where, std::function<Result<void>()> may_go_on)
      : path(std::move(where)), admit(std::move(may_go_on)) {}
  ~OpenUpload() { ::unlink(path.c_str()); }  // a store has renamed it if it was to stay
  OpenUpload(const OpenUpload&) = delete;
  OpenUpload& operator=(const OpenUpload&) = delete;

  const std::filesystem::path path;
  const std::function<Result<void>()> admit;  // or empty
  Descriptor file;
  Sha256 hash;
};

class FileStagedFile final : public StagedFile {
 public:
  FileStagedFile(std::shared_ptr<OpenUpload> upload, Executor& executor)
      : upload_(std::move(upload)), executor_(executor) {}

  Task<Result<void>> append(std::span<const char> bytes) override {
    auto result = std::make_shared<Result<void>>();
    co_await executor_.offload([upload = upload_, result, bytes] {
      if (upload->admit) *result = upload->admit();
      if (result->has_value()) *result = write_all(upload->file.get(), bytes);
      if (result->has_value()) upload->hash.add(bytes);
    });
    if (result->has_value()) size_ += bytes.size();
    co_return *result;
  }

  Task<Result<void>> finish() override {
    auto result = std::make_shared<Result<void>>();
    co_await executor_.offload([upload = upload_, result] {
      if (::fsync(upload->file.get()) != 0) *result = disk_error("flushing an upload", errno);
      upload->file.reset();
    });
    if (result->has_value()) sha256_ = upload_->hash.finish();
    co_return *result;
  }

  [[nodiscard]] const std::filesystem::path& path() const override { return upload_->path; }
  [[nodiscard]] std::uint64_t size() const override { return size_; }
  [[nodiscard]] const std::string& sha256() const override { return sha256_; }

 private:
  std::shared_ptr<OpenUpload> upload_;
  Executor& executor_;
  std::uint64_t size_ = 0;
  std::string sha256_;
};

}  // namespace

FileStaging::FileStaging(std::filesystem::path folder, Executor& executor, std::function<Result<void>()> admit)
    : folder_(std::move(folder)), executor_(executor), admit_(std::move(admit)) {
  make_private_folder(folder_);
  empty_folder(folder_);
}

Task<Result<std::unique_ptr<StagedFile>>> FileStaging::create() {
  auto upload = std::make_shared<OpenUpload>(folder_ / fmt::format("upload-{}", next_.fetch_add(1)), admit_);
  auto made = std::make_shared<Result<void>>();
  co_await executor_.offload([upload, made] {
    if (upload->admit) *made = upload->admit();
    if (!*made) return;
    upload->file = Descriptor(::open(upload->path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!upload->file) *made = disk_error("making a file for an upload", errno);
  });
  if (!*made) co_return fail(made->error());
  co_return std::make_unique<FileStagedFile>(std::move(upload), executor_);
}

}  // namespace infra
