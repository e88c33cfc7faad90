// Health of the folder that code is kept in: it can be written now, and there is room for the next upload to begin.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>

#include "adapters/files/disk_space.h"
#include "ports/executor.h"
#include "ports/health_probe.h"

namespace infra {

class FileCodeStoreProbe final : public HealthProbe {
 public:
  static constexpr std::uint64_t kMinFreeBytes = 16 * 1024 * 1024;

  using Look = std::function<DiskState()>;  // blocks for a system call

  // `data` is the folder that FileCodeStore was given, `look` asks its disk. `min_free_bytes` is there for tests.
  FileCodeStoreProbe(const std::filesystem::path& data, Executor& executor, Look look,
                     std::uint64_t min_free_bytes = kMinFreeBytes);
  [[nodiscard]] std::string name() const override { return "code"; }
  Task<Result<void>> probe() override;

 private:
  std::filesystem::path folder_;
  Executor& executor_;
  const Look look_;
  std::uint64_t min_free_bytes_;
};

}  // namespace infra
