// How much each function's runs have written to infra.db since the start, roughly: who is to make room.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "core/mutex.h"

namespace infra {

// Any thread.
class WrittenBytes {
 public:
  void add(const std::string& function, std::size_t bytes) {
    const MutexLock lock(mutex_);
    bytes_[function] += static_cast<std::int64_t>(bytes);
    if (bytes_.size() > kMostFunctions) age();
  }
  void subtract(const std::string& function, std::int64_t bytes) {
    const MutexLock lock(mutex_);
    const auto found = bytes_.find(function);
    if (found != bytes_.end() && (found->second -= bytes) <= 0) bytes_.erase(found);
  }
  void forget(const std::string& function) {
    const MutexLock lock(mutex_);
    bytes_.erase(function);
  }
  [[nodiscard]] std::optional<std::string> largest() const {
    const MutexLock lock(mutex_);
    auto most = bytes_.begin();
    for (auto it = bytes_.begin(); it != bytes_.end(); ++it) {
      if (it->second > most->second) most = it;
    }
    return most == bytes_.end() ? std::nullopt : std::optional(most->first);
  }

 private:
  static constexpr std::size_t kMostFunctions = 4096;
  static constexpr std::int64_t kLittle = std::int64_t{64} * 1024;

  // Those that write little are forgotten.
  void age() INFRA_REQUIRES(mutex_) {
    for (auto& [function, bytes] : bytes_) bytes /= 2;
    std::erase_if(bytes_, [](const auto& entry) { return entry.second < kLittle; });
  }

  mutable Mutex mutex_;
  std::map<std::string, std::int64_t> bytes_ INFRA_GUARDED_BY(mutex_);
};

}  // namespace infra
