#include "adapters/files/file_code_store_probe.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <utility>

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

Result<void> check_room(const DiskState& disk, std::uint64_t min_free_bytes) {
  if (disk.bytes == 0) return disk_error("asking for free space", EIO);
  if (disk.free_bytes >= min_free_bytes) return {};
  return fail(errors::disk_low, fmt::format("The disk of the data folder has only {} MiB left; free some space there.",
                                            disk.free_bytes >> 20));
}

}  // namespace

FileCodeStoreProbe::FileCodeStoreProbe(const std::filesystem::path& data, Executor& executor, Look look,
                                       std::uint64_t min_free_bytes)
    : folder_(data / "code"), executor_(executor), look_(std::move(look)), min_free_bytes_(min_free_bytes) {}

Task<Result<void>> FileCodeStoreProbe::probe() {
  auto result = std::make_shared<Result<void>>();
  co_await executor_.offload([result, folder = folder_, look = look_, least = min_free_bytes_] {
    const DiskState disk = look();
    *result = check_writable(folder);
    if (*result) *result = check_room(disk, least);
  });
  co_return *result;
}

}  // namespace infra
