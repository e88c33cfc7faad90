// Staging on the local disk: uploads stream into `<data>/staging` and are hashed on the way, so that no body is ever
// whole in memory and whatever a crash leaves is found in one place.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

#include "ports/executor.h"
#include "ports/staging.h"

namespace infra {

// Any thread. Must outlive none of its files.
class FileStaging final : public Staging {
 public:
  // Makes the folder, or sweeps what a dead program left in it. Throws std::filesystem::filesystem_error.
  // `admit` is asked before each piece, where blocking is allowed, and its error ends the upload; may be empty.
  FileStaging(std::filesystem::path folder, Executor& executor, std::function<Result<void>()> admit = {});
  Task<Result<std::unique_ptr<StagedFile>>> create() override;

 private:
  std::filesystem::path folder_;
  Executor& executor_;
  const std::function<Result<void>()> admit_;
  std::atomic<std::uint64_t> next_{0};
};

}  // namespace infra
