#include "adapters/files/file_code_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>

#include "adapters/system/file_pieces.h"
#include "adapters/system/file_source.h"
#include "adapters/system/posix_file.h"
#include "core/error_codes.h"
#include "core/executable.h"
#include "core/limits.h"
#include "core/object_keys.h"
#include "core/operator_error_codes.h"
#include "core/sha256.h"

namespace infra {
namespace {

Result<void> check_sha256(const CodeRef& code) {
  if (is_sha256(code.sha256)) return {};
  return fail(errors::code_not_found, "The function's code is not known by a SHA-256; upload it again.");
}

Result<void> copy_to(const std::filesystem::path& from, const std::filesystem::path& to) {
  std::error_code error;
  std::filesystem::copy_file(from, to, error);
  if (error) return disk_error("copying a file", error.value());
  return {};
}

// Moves what is on the same file system; an upload that was staged elsewhere is copied first.
Result<void> place_file(const std::filesystem::path& staged, const std::filesystem::path& temporary,
                        const std::filesystem::path& target) {
  if (::rename(staged.c_str(), temporary.c_str()) != 0) {
    if (errno != EXDEV) return disk_error("moving an upload", errno);
    if (auto ok = copy_to(staged, temporary); !ok) return ok;
  }
  auto moved = move_durably(temporary, target);
  if (!moved) ::unlink(temporary.c_str());
  return moved;
}

Result<std::uint64_t> fill_file(const std::filesystem::path& path,
                                const std::function<Result<std::uint64_t>(int into)>& fill) {
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) return disk_error("making a file", errno);
  return fill(file.get());
}

// Makes the folders of `target` below `root`, each durable.
Result<void> make_parents(const std::filesystem::path& root, const std::filesystem::path& target) {
  std::filesystem::path folder = root;
  for (const auto& part : target.lexically_relative(root).parent_path()) {
    const auto parent = folder;
    folder /= part;
    if (::mkdir(folder.c_str(), 0700) == 0) {
      if (auto ok = sync_folder(parent); !ok) return ok;
    } else if (errno != EEXIST) {
      return disk_error("making a folder", errno);
    }
  }
  return {};
}

Result<std::string> read_file(const std::filesystem::path& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!file && (errno == ENOENT || errno == ENOTDIR)) {
    return fail(errors::object_not_found, "There is no object of this key.");
  }
  if (!file) return disk_error("opening an object", errno);
  std::string bytes;
  std::array<char, 64 * 1024> buffer;
  while (true) {
    const ssize_t n = ::read(file.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return disk_error("reading an object", errno);
    if (n == 0) return bytes;
    bytes.append(buffer.data(), static_cast<std::size_t>(n));
  }
}

bool is_output(std::string_view key) {
  constexpr std::string_view kFolder = object_folders::outputs.name;
  return key.starts_with(kFolder) && key.substr(kFolder.size()).starts_with('/');
}

}  // namespace

FileCodeStore::FileCodeStore(const std::filesystem::path& data, Executor& executor, const Clock& clock, CodeUse& use,
                             RetiredCode& retired, OutputRules outputs)
    : bundles_(data / "code"),
      objects_(data / "objects"),
      temporary_(data / "tmp"),
      executor_(executor),
      clock_(clock),
      use_(use),
      retired_(retired),
      admit_output_(std::move(outputs.admit)),
      outputs_(objects_ / object_folders::outputs.name, outputs.quotas) {
  for (const auto& folder : {bundles_, objects_, temporary_}) make_private_folder(folder);
  empty_folder(temporary_);
}

std::filesystem::path FileCodeStore::bundle_path(const std::string& sha256) const {
  return bundles_ / (sha256 + ".zip");
}

std::filesystem::path FileCodeStore::temporary_path() {
  return temporary_ / std::to_string(next_temporary_.fetch_add(1));
}

Task<Result<void>> FileCodeStore::on_disk(std::function<Result<void>()> work) {
  auto result = std::make_shared<Result<void>>();
  co_await executor_.offload([work = std::move(work), result] { *result = work(); });
  co_return *result;
}

Task<Result<void>> FileCodeStore::put_bundle(const CodeRef& code, const std::filesystem::path& staged) {
  if (auto ok = check_sha256(code); !ok) co_return ok;
  if (auto listed = co_await retired_.add(code.sha256); !listed) co_return listed;
  co_return co_await on_disk([this, sha256 = code.sha256, staged] {
    const MutexLock lock(touched_->mutex);  // so that a sweep deletes either before this looks, or not at all
    touched_->at[sha256] = clock_.steady_now();
    const auto target = bundle_path(sha256);
    if (::access(target.c_str(), R_OK) != 0) return place_file(staged, temporary_path(), target);
    ::unlink(staged.c_str());
    return Result<void>{};
  });
}

Task<Result<std::filesystem::path>> FileCodeStore::fetch_bundle(const CodeRef& code) {
  if (auto ok = check_sha256(code); !ok) co_return fail(ok.error());
  const auto path = bundle_path(code.sha256);
  const auto found = co_await on_disk([path]() -> Result<void> {
    if (::access(path.c_str(), R_OK) == 0) return {};
    if (errno != ENOENT) return disk_error("looking for a bundle", errno);
    return fail(errors::code_not_found, "The function's code is not in the store; upload it again.");
  });
  if (!found) co_return fail(found.error());
  co_return path;
}

Task<Result<void>> FileCodeStore::retire_bundle(const CodeRef& code) {
  if (!is_sha256(code.sha256)) co_return Result<void>{};  // a row that another platform wrote: none of our files
  const std::string sha256 = code.sha256;
  sparing()(sha256);
  co_return co_await retired_.add(sha256);
}

Task<Result<void>> FileCodeStore::put_object(const std::string& key, std::string_view bytes) {
  if (auto ok = check_object_key(key); !ok) co_return ok;
  co_return co_await on_disk([this, key, bytes = std::string(bytes)] {
    return write_object(key, [&](int into) -> Result<std::uint64_t> {
      if (auto written = write_all(into, bytes); !written) return fail(std::move(written.error()));
      return bytes.size();
    });
  });
}

Task<Result<StoredFile>> FileCodeStore::put_file(const std::string& key, int file, std::uint64_t max_bytes) {
  if (auto ok = check_object_key(key); !ok) co_return fail(ok.error());
  const auto shared = share_file(file, max_bytes);
  if (!shared) co_return fail(shared.error());
  const auto stored = std::make_shared<StoredFile>();
  const auto written = co_await on_disk([this, key, from = *shared, max_bytes, stored] {
    return write_object(key, [&](int into) -> Result<std::uint64_t> {
      auto copied = read_in_pieces(from->get(), max_bytes, [into](auto piece) { return write_all(into, piece); });
      if (!copied) return fail(std::move(copied.error()));
      *stored = std::move(*copied);
      return stored->size;
    });
  });
  if (!written) co_return fail(written.error());
  co_return std::move(*stored);
}

// Room is made for what is there in full: for nothing nothing goes.
Result<void> FileCodeStore::write_object(const std::string& key, const Filling& fill) {
  if (is_output(key) && admit_output_) {
    if (auto admitted = admit_output_(); !admitted) return admitted;
  }
  const auto temporary = temporary_path();
  const auto bytes = fill_file(temporary, fill);
  Result<void> placed = bytes ? place_object(key, temporary, *bytes) : fail(bytes.error());
  if (!placed) ::unlink(temporary.c_str());
  return placed;
}

Result<void> FileCodeStore::place_object(const std::string& key, const std::filesystem::path& temporary,
                                         std::uint64_t bytes) {
  const auto target = objects_ / key;
  const auto place = [&]() -> Result<void> {
    if (auto ok = make_parents(objects_, target); !ok) return ok;
    return move_durably(temporary, target);
  };
  if (!is_output(key)) return place();
  const std::string_view path = std::string_view(key).substr(object_folders::outputs.name.size() + 1);
  if (auto room = outputs_.make_room(path, bytes); !room) return room;
  auto placed = place();
  if (!placed) outputs_.give_back(path, bytes);
  return placed;
}

Task<Result<std::string>> FileCodeStore::get_object(const std::string& key) {
  if (auto ok = check_object_key(key); !ok) co_return fail(ok.error());
  auto result = std::make_shared<Result<std::string>>();
  co_await executor_.offload([result, path = objects_ / key] { *result = read_file(path); });
  co_return std::move(*result);
}

Task<Result<ByteSourcePtr>> FileCodeStore::open_object(const std::string& key) {
  if (auto ok = check_object_key(key); !ok) co_return fail(ok.error());
  auto result = std::make_shared<Result<ByteSourcePtr>>();
  co_await executor_.offload([this, result, path = objects_ / key] { *result = open_file_source(path, executor_); });
  co_return std::move(*result);
}

Task<Result<void>> FileCodeStore::remove_object(const std::string& key) {
  if (auto ok = check_object_key(key); !ok) co_return ok;
  co_return co_await on_disk([path = objects_ / key]() -> Result<void> {
    if (::unlink(path.c_str()) == 0 || errno == ENOENT || errno == ENOTDIR) return {};
    return disk_error("removing an object", errno);
  });
}

std::function<void(const std::string& sha256)> FileCodeStore::sparing() const {
  return [touched = touched_, &clock = clock_](const std::string& sha256) {
    const MutexLock lock(touched->mutex);
    touched->at[sha256] = clock.steady_now();
  };
}

bool FileCodeStore::is_recent(const std::string& sha256) {
  const MutexLock lock(touched_->mutex);
  return touched_->at.contains(sha256);
}

void FileCodeStore::forget_old_touches() {
  const MutexLock lock(touched_->mutex);
  std::erase_if(touched_->at, [now = clock_.steady_now()](const auto& touch) { return now - touch.second > kGrace; });
}

Task<void> FileCodeStore::sweep(WallTime now) {
  if (sweeping_.exchange(true)) co_return;
  forget_old_touches();
  const auto listed = co_await retired_.list();
  if (listed) {
    for (const auto& sha256 : *listed) {
      if (is_sha256(sha256) && !is_recent(sha256)) co_await sweep_bundle(sha256);
    }
  }
  co_await executor_.offload([this, before = now - limits::kLogTtl] { outputs_.sweep(before); });
  sweeping_ = false;
}

Task<void> FileCodeStore::sweep_bundle(std::string sha256) {
  const auto user = co_await use_.user_of(sha256);
  if (!user || *user == CodeUser::job) co_return;
  if (*user == CodeUser::nobody && !co_await delete_unless_recent(sha256)) co_return;
  (void)co_await retired_.remove(sha256);
  // Put or retired again while this went on: then it belongs on the list.
  if (is_recent(sha256)) (void)co_await retired_.add(sha256);
}

Task<bool> FileCodeStore::delete_unless_recent(std::string sha256) {
  const auto deleted = co_await on_disk([this, sha256]() -> Result<void> {
    const MutexLock lock(touched_->mutex);
    if (touched_->at.contains(sha256)) return fail(errors::code_in_use, "The bundle was put again.");
    if (::unlink(bundle_path(sha256).c_str()) != 0 && errno != ENOENT) return disk_error("removing a bundle", errno);
    for (const auto machine : kMachines) ::unlink((objects_ / build_key(sha256, machine)).c_str());
    ::rmdir((objects_ / build_key(sha256, "")).c_str());  // fails while something is in it
    return {};
  });
  co_return deleted.has_value();
}

}  // namespace infra
