#include "adapters/files/file_code_store_probe.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>

#include "adapters/system/posix_file.h"
#include "core/operator_error_codes.h"

namespace infra {
namespace {

Result<void> check_writable(const std::filesystem::path& folder) {
  const auto path = folder / ".probe";
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) return disk_error("making a file", errno);
  constexpr std::array<char, 2> kBytes = {'o', 'k'};
  auto written = write_all(file.get(), kBytes);
  if (::unlink(path.c_str()) != 0 && written) return disk_error("removing a file", errno);
  return written;
}

Result<void> check_room(const std::filesystem::path& folder, std::uint64_t min_free_bytes) {
  struct statvfs info{};
  if (::statvfs(folder.c_str(), &info) != 0) return disk_error("asking for free space", errno);
  const std::uint64_t free = std::uint64_t{info.f_bavail} * info.f_frsize;
  if (free >= min_free_bytes) return {};
  return fail(errors::disk_low,
              fmt::format("The disk of the data folder has only {} MiB left; free some space there.", free >> 20));
}

Result<void> check_folder(const std::filesystem::path& folder, std::uint64_t min_free_bytes) {
  if (auto ok = check_writable(folder); !ok) return ok;
  return check_room(folder, min_free_bytes);
}

}  // namespace

FileCodeStoreProbe::FileCodeStoreProbe(const std::filesystem::path& data, Executor& executor,
                                       std::uint64_t min_free_bytes)
    : folder_(data / "code"), executor_(executor), min_free_bytes_(min_free_bytes) {}

Task<Result<void>> FileCodeStoreProbe::probe() {
  auto result = std::make_shared<Result<void>>();
  co_await executor_.offload(
      [result, folder = folder_, least = min_free_bytes_] { *result = check_folder(folder, least); });
  co_return *result;
}

}  // namespace infra
