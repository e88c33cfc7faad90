// Files that are being received: written piece by piece, hashed on the way, gone unless a store keeps them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "core/error.h"
#include "core/task.h"

namespace infra {

// Destroying it removes the file, unless a store has moved it away. One coroutine at a time.
class StagedFile {
 public:
  virtual ~StagedFile() = default;
  virtual Task<Result<void>> append(
      std::span<const char> bytes) = 0;     // `unavailable` (code disk_full) when it can't be written
  virtual Task<Result<void>> finish() = 0;  // flushed and fsynced; no append after it
  [[nodiscard]] virtual const std::filesystem::path& path() const = 0;
  [[nodiscard]] virtual std::uint64_t size() const = 0;
  [[nodiscard]] virtual const std::string& sha256() const = 0;  // 64 lower-case hex digits, once finished
};

class Staging {
 public:
  virtual ~Staging() = default;
  virtual Task<Result<std::unique_ptr<StagedFile>>> create() = 0;
};

}  // namespace infra
