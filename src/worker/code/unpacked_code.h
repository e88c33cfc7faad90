// Function code unpacked on this machine's disk: one folder a version, named by a SHA-256, that instances run from.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/job.h"
#include "core/mutex.h"
#include "core/task.h"
#include "ports/bundle_preparer.h"
#include "ports/bundle_reader.h"
#include "ports/clock.h"
#include "ports/code_store.h"
#include "ports/executor.h"
#include "worker/code/builds.h"

namespace infra::worker {

// A claim on a version's folder: while a copy of it lives, the folder stays.
struct CodeFolder {
  std::string folder;  // its name below the root, which is what a launcher is told
};
using CodeClaim = std::shared_ptr<const CodeFolder>;

struct CodeLimits {
  std::size_t max_count = 5000;
  std::uint64_t max_bytes = 4096 * limits::kMiB;  // only unused folders are removed to keep these
  // Whether the disk has room for so much more, asked where blocking is allowed; may be empty.
  std::function<bool(std::uint64_t bytes)> has_room{};
};

// Any thread.
class UnpackedCode : public BundlePreparer {
 public:
  // Empties `root`, which it makes if need be: a folder may have been half written when the last program died. Folders
  // that may be large are to be moved away before (adapters/files/left_behind.h). Throws
  // std::filesystem::filesystem_error.
  UnpackedCode(std::filesystem::path root, CodeStore& store, const BundleReader& reader, Builds& builds,
               Executor& executor, Clock& clock, CodeLimits limits = {});

  // The code's SHA-256: as the row has it, or, where a row of the reference platform has none, the bundle's own. Here
  // and below the code is code_store_unavailable when the code store is away: no fault of the job's.
  Task<Result<std::string>> identify(CodeRef code);

  // Fetches, checks and unpacks the bundle, and compiles it if need be, unless that is done already; callers for the
  // same version wait for the first. `not_found`; `unavailable` (code code_store_unavailable, or bundle_corrupt, or a
  // build's); `invalid` if the bundle breaks a rule, `unusable` if it does not compile. `sender` as in Builds.
  Task<Result<CodeClaim>> acquire(CodeRef code, std::string sha256, Runtime runtime, std::string sender);

  // Whether acquire() would give it at once.
  [[nodiscard]] bool is_ready(const std::string& sha256, Runtime runtime) const;

  // The same of a bundle that no store has yet, for the function's first run.
  Task<Result<void>> prepare(std::filesystem::path bundle, std::string sha256, Runtime runtime,
                             std::string sender) override;

 private:
  struct Entry {
    std::weak_ptr<const CodeFolder> claim;
    std::uint64_t bytes = 0;
    std::uint64_t last_used = 0;  // by a counter, not a clock
    bool unpacking = false;
    std::vector<std::shared_ptr<Signal>> waiting;
  };

  // Where a bundle comes from.
  struct Source {
    CodeRef code;
    std::filesystem::path file;  // if it is here already
    std::string sha256;
    std::string sender;
  };
  struct Unpacked {
    std::uint64_t bytes = 0;
    bool has_source = false;  // and no program yet
  };

  Task<Result<CodeClaim>> acquire_from(Source source, Runtime runtime);
  Task<Result<std::filesystem::path>> fetch(CodeRef code);
  Task<void> discard(std::filesystem::path folder);
  Task<Result<void>> unpack(Source source, std::string name, Runtime runtime);
  Task<Result<std::uint64_t>> unpack_and_build(Source source, std::string name, Runtime runtime);
  Result<Unpacked> unpack_blocking(const std::filesystem::path& bundle, const std::string& name, Runtime runtime);
  CodeClaim claim_locked(const std::string& name, Entry& entry) INFRA_REQUIRES(mutex_);
  Result<void> make_room(const std::vector<BundleEntry>& entries);
  std::vector<std::filesystem::path> evict_locked(const CodeLimits& most) INFRA_REQUIRES(mutex_);

  const std::filesystem::path root_;
  CodeStore& store_;
  const BundleReader& reader_;
  Builds& builds_;
  Executor& executor_;
  Clock& clock_;
  const CodeLimits limits_;

  mutable Mutex mutex_;
  std::map<std::string, Entry> entries_ INFRA_GUARDED_BY(mutex_);  // by folder
  std::uint64_t bytes_ INFRA_GUARDED_BY(mutex_) = 0;
  std::uint64_t uses_ INFRA_GUARDED_BY(mutex_) = 0;
  std::uint64_t unpacked_ INFRA_GUARDED_BY(mutex_) = 0;
};

}  // namespace infra::worker
