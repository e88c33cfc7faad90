#include "adapters/system/file_pieces.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <vector>

#include "core/operator_error_codes.h"
#include "core/sha256.h"

namespace infra {
namespace {

std::unexpected<Error> unreadable(int error_number) {
  return fail(errors::file_unreadable, fmt::format("A file that was to be stored can't be read: {}.",
                                                   std::system_category().message(error_number)));
}

std::unexpected<Error> too_large(std::uint64_t max_bytes) {
  return fail(errors::object_too_large, fmt::format("A file that was to be stored is over {} bytes.", max_bytes));
}

}  // namespace

Result<std::shared_ptr<const Descriptor>> share_file(int file, std::uint64_t max_bytes) {
  auto own = std::make_shared<const Descriptor>(::fcntl(file, F_DUPFD_CLOEXEC, 0));
  if (!*own && (errno == EMFILE || errno == ENFILE)) return disk_error("storing a file", errno);
  struct stat info{};
  if (!*own || ::fstat(own->get(), &info) != 0) return unreadable(errno);
  if (static_cast<std::uint64_t>(info.st_size) > max_bytes) return too_large(max_bytes);
  return own;
}

Result<StoredFile> read_in_pieces(int file, std::uint64_t max_bytes,
                                  const std::function<Result<void>(std::span<const char>)>& take) {
  StoredFile read;
  Sha256 hash;
  std::vector<char> piece(kFilePieceBytes);
  while (true) {
    const ssize_t count = ::pread(file, piece.data(), piece.size(), static_cast<off_t>(read.size));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return unreadable(errno);
    if (count == 0) break;
    read.size += static_cast<std::uint64_t>(count);
    if (read.size > max_bytes) return too_large(max_bytes);
    const std::span<const char> bytes(piece.data(), static_cast<std::size_t>(count));
    hash.add(bytes);
    if (auto taken = take(bytes); !taken) return fail(std::move(taken.error()));
  }
  read.sha256 = hash.finish();
  return read;
}

}  // namespace infra
