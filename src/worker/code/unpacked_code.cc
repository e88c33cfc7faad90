#include "worker/code/unpacked_code.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <numeric>

#include "core/bundle_rules.h"
#include "core/error_codes.h"
#include "core/sha256.h"
#include "core/system_errors.h"
#include "telemetry/task_failures.h"
#include "worker/code/executables.h"
#include "worker/code/file_hash.h"

namespace infra::worker {
namespace {

namespace fs = std::filesystem;

constexpr auto kLongWait = std::chrono::minutes(5);  // an unpacking always ends and says so; this only bounds a mistake

// Tells ext4 that the folders below have nothing to do with one another (chattr +T), so that it spreads them over the
// disk. Side by side, each new one is looked for past all that have been deleted in the last minutes where there is no
// journal (fs/ext4/ialloc.c: recently_deleted): up to 0.8 ms of a cold start. Other file systems say no to it.
void spread_folders_below(const fs::path& root) {
  const int folder = ::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int flags = 0;
  if (folder >= 0 && ::ioctl(folder, FS_IOC_GETFLAGS, &flags) == 0) {
    flags |= FS_TOPDIR_FL;
    (void)::ioctl(folder, FS_IOC_SETFLAGS, &flags);
  }
  if (folder >= 0) ::close(folder);
}

// What a folder takes is known from its bundle, and is not looked for: a walk holds a descriptor a level, and there are
// as many levels as the bundle likes.
std::uint64_t size_of(const std::vector<BundleEntry>& entries) {
  return std::accumulate(entries.begin(), entries.end(), std::uint64_t{0},
                         [](std::uint64_t bytes, const BundleEntry& entry) { return bytes + entry.unpacked_bytes; });
}

std::uint64_t size_of(const fs::path& file) {
  std::error_code error;
  const auto bytes = fs::file_size(file, error);
  return error ? 0 : bytes;
}

void remove_folder(const fs::path& folder) {
  std::error_code ignored;  // swept at the next start
  fs::remove_all(folder, ignored);
}

// One that becomes a version's by rename, or goes.
class TemporaryFolder {
 public:
  explicit TemporaryFolder(fs::path path) : path_(std::move(path)) {}
  ~TemporaryFolder() {
    if (!path_.empty()) remove_folder(path_);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  [[nodiscard]] const fs::path& path() const { return path_; }
  Result<void> rename_to(const fs::path& target) {
    std::error_code error;
    fs::rename(path_, target, error);
    if (error) {  // perhaps what could not be removed is in the way; nobody uses what has no entry
      remove_folder(target);
      fs::rename(path_, target, error);
    }
    if (error) {
      return disk_failure(error.value(), errors::disk_failed,
                          fmt::format("The code could not be unpacked: {}.", error.message()));
    }
    path_.clear();
    return {};
  }

 private:
  fs::path path_;
};

// A folder where a program was compiled or readied is not the one that the same bundle has under an interpreter.
std::string folder_name(const std::string& sha256, Runtime runtime) {
  return is_compiled(runtime) ? sha256_of("compiled " + sha256) : sha256;
}

// Of a bundle with a ready binary; source is compiled later.
Result<void> ready_blocking(const fs::path& folder, std::string_view entry_file, Runtime runtime) {
  if (!is_compiled(runtime)) return {};
  std::error_code ignored;
  fs::remove_all(folder / kOwnFolder, ignored);
  if (entry_file != kReadyBinary) return {};
  return prepare_executable(folder, kReadyBinary);
}

}  // namespace

UnpackedCode::UnpackedCode(fs::path root, CodeStore& store, const BundleReader& reader, Builds& builds,
                           Executor& executor, Clock& clock, CodeLimits limits)
    : root_(std::move(root)),
      store_(store),
      reader_(reader),
      builds_(builds),
      executor_(executor),
      clock_(clock),
      limits_(limits) {
  std::error_code error;
  fs::create_directories(root_, error);
  spread_folders_below(root_);
  for (fs::directory_iterator left(root_, error), end; !error && left != end; left.increment(error)) {
    fs::remove_all(left->path(), error);
    if (error) break;
  }
  if (error) throw fs::filesystem_error("the folder for unpacked code can't be emptied", root_, error);
}

Task<Result<fs::path>> UnpackedCode::fetch(CodeRef code) {
  auto bundle = co_await store_.fetch_bundle(code);
  const bool is_away = !bundle && bundle.error().kind == ErrorKind::unavailable &&
                       bundle.error().code != errors::bundle_corrupt && bundle.error().code != errors::no_descriptors;
  if (!is_away) co_return bundle;
  co_return fail(errors::code_store_unavailable, bundle.error().message);
}

Task<Result<std::string>> UnpackedCode::identify(CodeRef code) {
  if (!code.sha256.empty()) co_return code.sha256;
  const auto bundle = co_await fetch(code);
  if (!bundle) co_return fail(bundle.error());
  Result<std::string> hash;
  co_await executor_.offload([&] { hash = sha256_of_file(*bundle); });
  co_return hash;
}

Task<Result<CodeClaim>> UnpackedCode::acquire(CodeRef code, std::string sha256, Runtime runtime, std::string sender) {
  return acquire_from({.code = std::move(code), .file = {}, .sha256 = std::move(sha256), .sender = std::move(sender)},
                      runtime);
}

bool UnpackedCode::is_ready(const std::string& sha256, Runtime runtime) const {
  const std::string name = folder_name(sha256, runtime);
  const MutexLock lock(mutex_);
  const auto known = entries_.find(name);
  return known != entries_.end() && !known->second.unpacking;
}

Task<Result<void>> UnpackedCode::prepare(fs::path bundle, std::string sha256, Runtime runtime, std::string sender) {
  Source source{.code = {}, .file = std::move(bundle), .sha256 = std::move(sha256), .sender = std::move(sender)};
  const auto claim = co_await acquire_from(std::move(source), runtime);
  if (!claim) co_return fail(claim.error());
  co_return Result<void>();
}

Task<Result<CodeClaim>> UnpackedCode::acquire_from(Source source, Runtime runtime) {
  const std::string name = folder_name(source.sha256, runtime);
  while (true) {
    std::shared_ptr<Signal> unpacked;
    {
      const MutexLock lock(mutex_);
      auto [found, is_new] = entries_.try_emplace(name);
      Entry& entry = found->second;
      if (!is_new && !entry.unpacking) co_return claim_locked(name, entry);
      if (is_new) {
        entry.unpacking = true;
      } else {
        unpacked = clock_.make_signal();
        entry.waiting.push_back(unpacked);
      }
    }
    if (unpacked) {
      co_await unpacked->wait_until(clock_.steady_now() + kLongWait);
      continue;  // if the first one failed, this one tries for itself
    }
    const auto done = co_await unpack(source, name, runtime);
    if (!done) co_return fail(done.error());
  }
}

// How much the version takes on the disk.
Task<Result<std::uint64_t>> UnpackedCode::unpack_and_build(Source source, std::string name, Runtime runtime) {
  auto bundle = Result<fs::path>(std::move(source.file));
  if (bundle->empty()) bundle = co_await fetch(std::move(source.code));
  if (!bundle) co_return fail(bundle.error());
  Result<Unpacked> unpacked;
  co_await executor_.offload([&] { unpacked = unpack_blocking(*bundle, name, runtime); });
  if (!unpacked) co_return fail(unpacked.error());
  if (!unpacked->has_source) co_return unpacked->bytes;
  const auto built = co_await builds_.provide(source.sha256, runtime, root_ / name, source.sender);
  if (!built) co_return fail(built.error());
  std::uint64_t program = 0;
  co_await executor_.offload([&] { program = size_of(root_ / name / kBuiltProgram); });
  co_return unpacked->bytes + program;
}

Task<Result<void>> UnpackedCode::unpack(Source source, std::string name, Runtime runtime) {
  std::vector<fs::path> evicted;
  const auto bytes = co_await caught("unpacking code", unpack_and_build(std::move(source), name, runtime));
  if (!bytes) (void)co_await caught("removing code", discard(root_ / name));  // before another tries
  {
    const MutexLock lock(mutex_);
    Entry& entry = entries_.at(name);
    for (const auto& waiting : entry.waiting) waiting->notify();
    entry.waiting.clear();
    entry.unpacking = false;
    if (bytes) {
      entry.bytes = *bytes;
      entry.last_used = ++uses_;
      bytes_ += *bytes;
      evicted = evict_locked(limits_);
    } else {
      entries_.erase(name);
    }
  }
  if (!evicted.empty()) {
    co_await executor_.offload([&] { std::ranges::for_each(evicted, remove_folder); });
  }
  if (!bytes) co_return fail(bytes.error());
  co_return Result<void>();
}

Task<void> UnpackedCode::discard(fs::path folder) {
  co_await executor_.offload([&] { remove_folder(folder); });
}

Result<UnpackedCode::Unpacked> UnpackedCode::unpack_blocking(const fs::path& bundle, const std::string& name,
                                                             Runtime runtime) {
  // Upload has checked this; rows of the reference platform were never checked.
  const auto entries = reader_.list(bundle);
  if (!entries) return fail(entries.error());
  const auto entry_file = check_bundle(*entries, runtime);
  if (!entry_file) return fail(entry_file.error());

  if (auto room = make_room(*entries); !room) return fail(room.error());

  std::uint64_t number = 0;
  {
    const MutexLock lock(mutex_);
    number = ++unpacked_;
  }
  TemporaryFolder temporary(root_ / fmt::format("{}.tmp-{}", name, number));
  if (auto extracted = reader_.extract(bundle, temporary.path()); !extracted) return fail(extracted.error());
  if (auto readied = ready_blocking(temporary.path(), *entry_file, runtime); !readied) return fail(readied.error());
  if (auto renamed = temporary.rename_to(root_ / name); !renamed) return fail(renamed.error());
  return Unpacked{.bytes = size_of(*entries), .has_source = is_compiled(runtime) && *entry_file != kReadyBinary};
}

// Versions that nobody runs are a cache, and go before a run is refused.
Result<void> UnpackedCode::make_room(const std::vector<BundleEntry>& entries) {
  if (!limits_.has_room) return {};
  std::uint64_t bytes = 0;
  for (const auto& entry : entries) bytes += entry.unpacked_bytes + limits::kFolderBytes;
  if (limits_.has_room(bytes)) return {};
  std::vector<fs::path> evicted;
  {
    const MutexLock lock(mutex_);
    evicted = evict_locked({.max_count = 0, .max_bytes = 0});
  }
  std::error_code ignored;  // swept at the next start
  for (const auto& folder : evicted) fs::remove_all(folder, ignored);
  if (limits_.has_room(bytes)) return {};
  return fail(errors::disk_full, "There is no room on the worker's disk to unpack the code; free some and try again.");
}

CodeClaim UnpackedCode::claim_locked(const std::string& name, Entry& entry) {
  entry.last_used = ++uses_;
  auto claim = entry.claim.lock();
  if (!claim) {
    claim = std::make_shared<const CodeFolder>(name);
    entry.claim = claim;
  }
  return claim;
}

// Moves what has to go out of its name at once, so that the same version can be unpacked anew while the old is deleted.
std::vector<fs::path> UnpackedCode::evict_locked(const CodeLimits& most) {
  std::vector<fs::path> evicted;
  while (entries_.size() > most.max_count || bytes_ > most.max_bytes) {
    auto oldest = entries_.end();
    for (auto it = entries_.begin(); it != entries_.end(); ++it) {
      const bool free = !it->second.unpacking && it->second.claim.expired() && it->second.last_used != uses_;
      if (free && (oldest == entries_.end() || it->second.last_used < oldest->second.last_used)) oldest = it;
    }
    if (oldest == entries_.end()) break;
    const fs::path gone = root_ / fmt::format("{}.tmp-{}", oldest->first, ++unpacked_);
    std::error_code error;
    fs::rename(root_ / oldest->first, gone, error);
    if (error) break;
    evicted.push_back(gone);
    bytes_ -= oldest->second.bytes;
    entries_.erase(oldest);
  }
  return evicted;
}

}  // namespace infra::worker
