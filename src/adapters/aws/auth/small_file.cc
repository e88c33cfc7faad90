// Read anew each time: what mounts tokens into a container replaces them there.
#include "adapters/aws/auth/small_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/error_codes.h"

namespace infra::aws {
namespace {

constexpr std::size_t kMaxBytes = 1024 * 1024;

}  // namespace

Result<std::string> read_small_file(const OpenFile& open, const std::string& path) {
  const int descriptor = open(path);
  if (descriptor == -ENOENT || descriptor == -ENOTDIR)
    return fail(errors::no_credentials.as(ErrorKind::not_found), fmt::format("there is no file {}.", path));
  if (descriptor < 0)
    return fail(errors::no_credentials, fmt::format("{} can't be read: {}.", path, std::strerror(-descriptor)));
  std::string text(kMaxBytes + 1, '\0');
  std::size_t size = 0;
  ssize_t got = 0;
  do {
    got = ::read(descriptor, text.data() + size, text.size() - size);
    if (got > 0) size += static_cast<std::size_t>(got);
  } while (got > 0 && size < text.size());
  ::close(descriptor);
  if (got < 0 || size > kMaxBytes)
    return fail(errors::no_credentials, fmt::format("{} can't be read, or has more than {} bytes.", path, kMaxBytes));
  text.resize(size);
  return text;
}

int open_plainly(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  return descriptor >= 0 ? descriptor : -errno;
}

Task<Result<std::string>> SmallFiles::read(std::string path) {
  Result<std::string> text;
  co_await executor_.offload([&] { text = read_small_file(open_, path); });
  co_return text;
}

}  // namespace infra::aws
