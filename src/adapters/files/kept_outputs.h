// The books on output files: how much each function and all together keep, and which run's files go to make room. They
// stand in memory, and are read from the disk at the start.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/mutex.h"
#include "core/time.h"

namespace infra {

struct OutputUse {
  std::uint64_t bytes = 0;  // of files as long as they say they are, in whole blocks of 4 KiB
  std::uint64_t files = 0;  // folders count as well

  OutputUse& operator+=(const OutputUse& other);
  OutputUse& operator-=(const OutputUse& other);
  [[nodiscard]] bool exceeds(const OutputUse& most) const { return bytes > most.bytes || files > most.files; }
};

struct OutputQuotas {
  OutputUse function{.bytes = UINT64_MAX, .files = UINT64_MAX};
  OutputUse platform{.bytes = UINT64_MAX, .files = UINT64_MAX};
};

// Half of a disk is for outputs, and a quarter of that for one function's: so no one function can push out another's.
[[nodiscard]] OutputQuotas output_quotas(std::uint64_t disk_bytes, std::uint64_t disk_files);

// Any thread; methods block on the disk.
class KeptOutputs {
 public:
  // `folder` holds <function>/<request>/….
  KeptOutputs(std::filesystem::path folder, OutputQuotas quotas) : folder_(std::move(folder)), quotas_(quotas) {}

  // Books a file that will be written at `path` (<function>/<request>/<name>), and deletes what has to go for it: the
  // function's own oldest runs, then those of whoever keeps most. `unavailable` (code storage_full) if the run alone is
  // more than its function may keep.
  Result<void> make_room(std::string_view path, std::uint64_t bytes);
  // It was not written after all.
  void give_back(std::string_view path, std::uint64_t bytes);

  // Deletes the files of runs accepted before `before`; at its first call it reads what an earlier program has left.
  void sweep(WallTime before);

  [[nodiscard]] OutputUse kept() const;
  [[nodiscard]] OutputUse most() const { return quotas_.platform; }
  // Runs whose files went for others' sake.
  [[nodiscard]] std::uint64_t pushed_out() const { return pushed_out_; }

 private:
  // Request ids are UUIDv7s, whose order is that of time.
  using Runs = std::map<std::string, OutputUse, std::less<>>;
  struct Owner {
    OutputUse use;
    Runs runs;
  };
  using Owners = std::map<std::string, Owner, std::less<>>;
  struct RunName {
    std::string function;
    std::string request;
  };

  void load();
  void book(std::string_view function, std::string_view request, const OutputUse& use) INFRA_REQUIRES(mutex_);
  RunName strike(Owners::iterator owner, Runs::iterator run) INFRA_REQUIRES(mutex_);
  void push_out_own(std::string_view function, std::string_view request, std::vector<RunName>& out)
      INFRA_REQUIRES(mutex_);
  void push_out_largest(std::string_view request, std::vector<RunName>& out) INFRA_REQUIRES(mutex_);
  void remove(const std::vector<RunName>& runs);

  const std::filesystem::path folder_;
  const OutputQuotas quotas_;
  std::atomic<std::uint64_t> pushed_out_ = 0;
  std::atomic<bool> loaded_ = false;
  mutable Mutex mutex_;
  Owners owners_ INFRA_GUARDED_BY(mutex_);
  OutputUse kept_ INFRA_GUARDED_BY(mutex_);
};

}  // namespace infra
