// Read anew each time: what mounts tokens into a container replaces them there.
#include "adapters/aws/auth/small_file.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "core/error_codes.h"

namespace infra::aws {
namespace {

constexpr std::size_t kMaxBytes = 1024 * 1024;

Result<std::string> read_blocking(const std::string& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    const int why = errno;
    if (why == ENOENT || why == ENOTDIR)
      return fail(errors::no_credentials.as(ErrorKind::not_found), fmt::format("there is no file {}.", path));
    return fail(errors::no_credentials, fmt::format("{} can't be read: {}.", path, std::strerror(why)));
  }
  std::string text(kMaxBytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (file.bad() || text.size() > kMaxBytes)
    return fail(errors::no_credentials, fmt::format("{} can't be read, or has more than {} bytes.", path, kMaxBytes));
  return text;
}

}  // namespace

Task<Result<std::string>> read_small_file(Executor& executor, std::string path) {
  Result<std::string> text;
  co_await executor.offload([&] { text = read_blocking(path); });
  co_return text;
}

}  // namespace infra::aws
