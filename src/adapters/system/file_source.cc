#include "adapters/system/file_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "core/operator_error_codes.h"

namespace infra {
namespace {

class FileSource final : public ByteSource {
 public:
  FileSource(std::shared_ptr<const Descriptor> file, std::uint64_t size, Executor& executor)
      : file_(std::move(file)), size_(size), executor_(executor) {}

  [[nodiscard]] std::uint64_t size() const override { return size_; }

  // What the kernel has in memory comes at once; only a disk is waited for on the pool.
  Task<Result<std::size_t>> read(std::span<char> buffer) override {
    ssize_t got = read_now(buffer, RWF_NOWAIT);
    if (got < 0) {
      int error = 0;
      co_await executor_.offload([&] {
        do {
          got = read_now(buffer, 0);
        } while (got < 0 && errno == EINTR);
        error = errno;
      });
      if (got < 0) co_return disk_error("reading an object", error);
    }
    if (got > 0) offset_ += got;
    co_return static_cast<std::size_t>(got);
  }

 private:
  ssize_t read_now(std::span<char> buffer, int flags) const {
    const iovec part{.iov_base = buffer.data(), .iov_len = buffer.size()};
    return ::preadv2(file_->get(), &part, 1, offset_, flags);
  }

  const std::shared_ptr<const Descriptor> file_;
  const std::uint64_t size_;
  Executor& executor_;
  off_t offset_ = 0;
};

}  // namespace

Result<ByteSourcePtr> open_file_source(const std::filesystem::path& path, Executor& executor) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!file && (errno == ENOENT || errno == ENOTDIR)) {
    return fail(errors::object_not_found, "There is no object of this key.");
  }
  struct stat info{};
  if (!file || ::fstat(file.get(), &info) != 0) return disk_error("opening an object", errno);
  return make_file_source(std::make_shared<const Descriptor>(std::move(file)), static_cast<std::uint64_t>(info.st_size),
                          executor);
}

ByteSourcePtr make_file_source(std::shared_ptr<const Descriptor> file, std::uint64_t size, Executor& executor) {
  return std::make_shared<FileSource>(std::move(file), size, executor);
}

}  // namespace infra
