#include "adapters/files/kept_outputs.h"

#include <algorithm>
#include <iterator>
#include <system_error>

#include "core/error_codes.h"
#include "core/ids.h"
#include "core/limits.h"
#include "telemetry/log.h"

namespace infra {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kBlock = limits::kFolderBytes;
constexpr std::uint64_t kMostFiles = 1'000'000;  // what the books may cost: some hundred bytes a run

OutputUse use_of(std::uint64_t bytes, std::uint64_t folders) {
  return {.bytes = ((bytes + kBlock - 1) / kBlock + folders) * kBlock, .files = 1 + folders};
}

// <function>/<request>/<name>
struct Path {
  std::string_view function;
  std::string_view request;
  OutputUse use;
};

// Each folder in the name counts, also if another file of the run has made it.
Path read_path(std::string_view path, std::uint64_t bytes) {
  const auto up_to_slash = [&path] {
    const std::string_view part = path.substr(0, path.find('/'));
    path.remove_prefix(std::min(part.size() + 1, path.size()));
    return part;
  };
  const std::string_view function = up_to_slash();
  const std::string_view request = up_to_slash();
  const auto folders = static_cast<std::uint64_t>(std::ranges::count(path, '/'));
  return {.function = function, .request = request, .use = use_of(bytes, folders)};
}

// None if the folder is not there: most functions leave no files.
std::vector<fs::path> entries_of(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code failed;
  for (fs::directory_iterator entry(folder, failed), end; !failed && entry != end; entry.increment(failed))
    found.push_back(entry->path());
  return found;
}

// One folder at a time: a walk into the depth would hold a descriptor a level.
OutputUse use_on_disk(const fs::path& run) {
  OutputUse use;
  std::vector<fs::path> left{run};
  while (!left.empty()) {
    const fs::path entry = std::move(left.back());
    left.pop_back();
    std::error_code unknown;
    const auto status = fs::symlink_status(entry, unknown);
    const auto size = fs::is_regular_file(status) ? fs::file_size(entry, unknown) : kBlock;
    use += {.bytes = unknown ? kBlock : use_of(size, 0).bytes, .files = 1};
    if (fs::is_directory(status)) std::ranges::move(entries_of(entry), std::back_inserter(left));
  }
  return use;
}

}  // namespace

OutputUse& OutputUse::operator+=(const OutputUse& other) {
  bytes += other.bytes;
  files += other.files;
  return *this;
}

OutputUse& OutputUse::operator-=(const OutputUse& other) {
  bytes -= std::min(bytes, other.bytes);
  files -= std::min(files, other.files);
  return *this;
}

OutputQuotas output_quotas(std::uint64_t disk_bytes, std::uint64_t disk_files) {
  const std::uint64_t files = disk_files == 0 ? kMostFiles : std::min(kMostFiles, disk_files / 2);
  return {.function = {.bytes = disk_bytes / 8, .files = files / 4},
          .platform = {.bytes = disk_bytes / 2, .files = files}};
}

Result<void> KeptOutputs::make_room(std::string_view path, std::uint64_t bytes) {
  const Path wanted = read_path(path, bytes);
  std::vector<RunName> out;
  {
    const MutexLock lock(mutex_);
    const auto owner = owners_.find(wanted.function);
    OutputUse run = wanted.use;
    if (owner != owners_.end()) {
      const auto known = owner->second.runs.find(wanted.request);
      if (known != owner->second.runs.end()) run += known->second;
    }
    if (run.exceeds(quotas_.function)) {
      return fail(errors::storage_full, "The run's output files are more than its function may keep on this disk.");
    }
    book(wanted.function, wanted.request, wanted.use);
    push_out_own(wanted.function, wanted.request, out);
    push_out_largest(wanted.request, out);
  }
  remove(out);
  pushed_out_ += out.size();
  return {};
}

void KeptOutputs::give_back(std::string_view path, std::uint64_t bytes) {
  const Path wanted = read_path(path, bytes);
  const MutexLock lock(mutex_);
  const auto owner = owners_.find(wanted.function);
  if (owner == owners_.end()) return;
  const auto run = owner->second.runs.find(wanted.request);
  if (run == owner->second.runs.end()) return;  // it was pushed out meanwhile, with all that was booked
  run->second -= wanted.use;
  owner->second.use -= wanted.use;
  kept_ -= wanted.use;
}

void KeptOutputs::book(std::string_view function, std::string_view request, const OutputUse& use) {
  Owner& owner = owners_[std::string(function)];
  const auto [run, is_new] = owner.runs.try_emplace(std::string(request));
  OutputUse all = use;
  if (is_new) all += {.bytes = kBlock, .files = 1};  // the run's own folder
  run->second += all;
  owner.use += all;
  kept_ += all;
}

KeptOutputs::RunName KeptOutputs::strike(Owners::iterator owner, Runs::iterator run) {
  RunName name{.function = owner->first, .request = run->first};
  owner->second.use -= run->second;
  kept_ -= run->second;
  owner->second.runs.erase(run);
  if (owner->second.runs.empty()) owners_.erase(owner);
  return name;
}

// Never the run whose file comes: its other files are in its result by now.
void KeptOutputs::push_out_own(std::string_view function, std::string_view request, std::vector<RunName>& out) {
  while (true) {
    const auto owner = owners_.find(function);
    if (owner == owners_.end() || !owner->second.use.exceeds(quotas_.function)) return;
    auto oldest = owner->second.runs.begin();
    if (oldest != owner->second.runs.end() && oldest->first == request) ++oldest;
    if (oldest == owner->second.runs.end()) return;
    out.push_back(strike(owner, oldest));
  }
}

void KeptOutputs::push_out_largest(std::string_view request, std::vector<RunName>& out) {
  while (kept_.exceeds(quotas_.platform)) {
    auto largest = owners_.end();
    for (auto owner = owners_.begin(); owner != owners_.end(); ++owner) {
      const bool has_other = owner->second.runs.size() > 1 || owner->second.runs.begin()->first != request;
      const bool is_larger = largest == owners_.end() || owner->second.use.bytes > largest->second.use.bytes;
      if (has_other && is_larger) largest = owner;
    }
    if (largest == owners_.end()) return;
    auto oldest = largest->second.runs.begin();
    if (oldest->first == request) ++oldest;
    out.push_back(strike(largest, oldest));
  }
}

void KeptOutputs::remove(const std::vector<RunName>& runs) {
  std::error_code ignored;
  for (const auto& run : runs) {
    fs::remove_all(folder_ / run.function / run.request, ignored);
    fs::remove(folder_ / run.function, ignored);  // if it is empty by now
  }
}

void KeptOutputs::sweep(WallTime before) {
  if (!loaded_.exchange(true)) load();
  std::vector<RunName> expired;
  {
    const MutexLock lock(mutex_);
    for (auto owner = owners_.begin(); owner != owners_.end();) {
      const auto next = std::next(owner);
      for (auto run = owner->second.runs.begin(); run != owner->second.runs.end();) {
        const auto accepted = uuid_v7_time(run->first);
        if (!accepted || *accepted >= before) {
          ++run;
          continue;
        }
        const bool is_last = owner->second.runs.size() == 1;
        const auto following = std::next(run);
        expired.push_back(strike(owner, run));
        if (is_last) break;  // the owner is gone
        run = following;
      }
      owner = next;
    }
  }
  remove(expired);
}

// What is booked already was put since the start, and is counted as it was put.
void KeptOutputs::load() {
  std::vector<RunName> out;
  for (const auto& function : entries_of(folder_)) {
    const auto runs = entries_of(function);
    std::error_code ignored;
    if (runs.empty()) fs::remove(function, ignored);
    for (const auto& run : runs) {
      const OutputUse use = use_on_disk(run);
      const std::string owner = function.filename();
      const std::string request = run.filename();
      const MutexLock lock(mutex_);
      const auto known = owners_.find(owner);
      if (known != owners_.end() && known->second.runs.contains(request)) continue;
      book(owner, request, {.bytes = use.bytes - kBlock, .files = use.files - 1});
      push_out_own(owner, request, out);
      push_out_largest(request, out);
    }
  }
  remove(out);
  pushed_out_ += out.size();
  if (!out.empty()) log::info("output files of earlier runs went for their quotas", {{"runs", out.size()}});
}

OutputUse KeptOutputs::kept() const {
  const MutexLock lock(mutex_);
  return kept_;
}

}  // namespace infra
