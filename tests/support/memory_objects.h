// A CodeStore whose small objects are in memory, for tests of what keeps payloads and results there. It forgets
// bundles.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "core/mutex.h"
#include "core/operator_error_codes.h"
#include "ports/code_store.h"
#include "support/read_open_file.h"

namespace infra::testing {

// Any thread.
class MemoryObjects final : public CodeStore {
 public:
  [[nodiscard]] std::optional<std::string> find(const std::string& key) {
    const MutexLock lock(mutex_);
    const auto found = objects_.find(key);
    if (found == objects_.end()) return std::nullopt;
    return found->second;
  }
  [[nodiscard]] std::size_t count() {
    const MutexLock lock(mutex_);
    return objects_.size();
  }
  // From now on every call fails with it; nullopt: no more.
  void fail_with(std::optional<Error> error) {
    const MutexLock lock(mutex_);
    failing_ = std::move(error);
  }

  Task<Result<void>> put_bundle(const CodeRef&, const std::filesystem::path&) override { co_return Result<void>{}; }
  Task<Result<std::filesystem::path>> fetch_bundle(const CodeRef&) override { co_return std::filesystem::path(); }
  Task<Result<void>> retire_bundle(const CodeRef&) override { co_return Result<void>{}; }

  Task<Result<void>> put_object(const std::string& key, std::string_view bytes) override {
    const MutexLock lock(mutex_);
    if (failing_) co_return fail(*failing_);
    objects_[key] = bytes;
    co_return Result<void>{};
  }
  Task<Result<StoredFile>> put_file(const std::string& key, int file, std::uint64_t max_bytes) override {
    auto bytes = read_open_file(file, max_bytes);
    if (!bytes) co_return fail(std::move(bytes.error()));
    if (auto put = co_await put_object(key, *bytes); !put) co_return fail(std::move(put.error()));
    co_return stored_as(*bytes);
  }
  Task<Result<std::string>> get_object(const std::string& key) override {
    const MutexLock lock(mutex_);
    if (failing_) co_return fail(*failing_);
    if (!objects_.contains(key)) co_return fail(errors::object_not_found, "There is no such object.");
    co_return objects_[key];
  }
  Task<Result<void>> remove_object(const std::string& key) override {
    const MutexLock lock(mutex_);
    if (failing_) co_return fail(*failing_);
    objects_.erase(key);
    co_return Result<void>{};
  }

 private:
  Mutex mutex_;
  std::map<std::string, std::string> objects_ INFRA_GUARDED_BY(mutex_);
  std::optional<Error> failing_ INFRA_GUARDED_BY(mutex_);
};

}  // namespace infra::testing
