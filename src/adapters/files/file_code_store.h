// Code bundles as files named by their SHA-256, and objects as files named by their key. A bundle that two functions
// share is one file, so nothing is deleted when it is retired: a sweep deletes the files without references.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include "adapters/files/kept_outputs.h"
#include "core/mutex.h"
#include "ports/clock.h"
#include "ports/code_store.h"
#include "ports/code_use.h"
#include "ports/executor.h"

namespace infra {

// What output files are kept under, beside their time.
struct OutputRules {
  OutputQuotas quotas{};
  std::function<Result<void>()> admit{};  // asked before each, where blocking is allowed; may be empty
};

// Every bundle is put on the list of RetiredCode before it appears, and leaves that list when a sweep finds that a
// function has it: so one whose function row was never written, because of a crash, is found too.
class FileCodeStore final : public CodeStore {
 public:
  // How long after a put or a retirement a bundle is left alone: in between, its function row is being written, or a
  // run that has read the old row is being queued. Both take milliseconds.
  static constexpr std::chrono::seconds kGrace{60};

  // Makes `<data>/code`, `<data>/objects` and an empty `<data>/tmp`. Throws std::filesystem::filesystem_error.
  FileCodeStore(const std::filesystem::path& data, Executor& executor, const Clock& clock, CodeUse& use,
                RetiredCode& retired, OutputRules outputs = {});

  Task<Result<void>> put_bundle(const CodeRef& code, const std::filesystem::path& staged) override;
  Task<Result<std::filesystem::path>> fetch_bundle(const CodeRef& code) override;
  Task<Result<void>> retire_bundle(const CodeRef& code) override;
  Task<Result<void>> put_object(const std::string& key, std::string_view bytes) override;
  Task<Result<StoredFile>> put_file(const std::string& key, int file, std::uint64_t max_bytes) override;
  Task<Result<std::string>> get_object(const std::string& key) override;
  Task<Result<ByteSourcePtr>> open_object(const std::string& key) override;
  Task<Result<void>> remove_object(const std::string& key) override;

  // Deletes the retired bundles that are unused and past their grace, and output files that are older than log rows by
  // `now`; errors leave them for the next time. Call it at the start and every now and then; a call during another
  // returns at once.
  Task<void> sweep(WallTime now);
  // Leaves a bundle alone for kGrace: called before a row that names it is gone. Any thread; outlives the store.
  [[nodiscard]] std::function<void(const std::string& sha256)> sparing() const;
  [[nodiscard]] const KeptOutputs& outputs() const { return outputs_; }

 private:
  [[nodiscard]] std::filesystem::path bundle_path(const std::string& sha256) const;
  [[nodiscard]] std::filesystem::path temporary_path();
  [[nodiscard]] bool is_recent(const std::string& sha256);
  void forget_old_touches();
  // Writes an object's bytes to a descriptor, and says how many they were.
  using Filling = std::function<Result<std::uint64_t>(int into)>;
  Result<void> write_object(const std::string& key, const Filling& fill);
  Result<void> place_object(const std::string& key, const std::filesystem::path& temporary, std::uint64_t bytes);
  Task<void> sweep_bundle(std::string sha256);
  Task<bool> delete_unless_recent(std::string sha256);
  Task<Result<void>> on_disk(std::function<Result<void>()> work);

  const std::filesystem::path bundles_;
  const std::filesystem::path objects_;
  const std::filesystem::path temporary_;
  Executor& executor_;
  const Clock& clock_;
  CodeUse& use_;
  RetiredCode& retired_;
  const std::function<Result<void>()> admit_output_;
  KeptOutputs outputs_;
  std::atomic<std::uint64_t> next_temporary_{0};
  std::atomic<bool> sweeping_{false};
  struct Touched {
    Mutex mutex;  // held only on the blocking pool or for a few instructions
    std::unordered_map<std::string, SteadyTime> at INFRA_GUARDED_BY(mutex);
  };
  const std::shared_ptr<Touched> touched_ = std::make_shared<Touched>();
};

}  // namespace infra
