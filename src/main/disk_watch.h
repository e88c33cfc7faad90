// Looks at the data folder's disk every second, and asks it for whoever is about to write much.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

#include "adapters/files/disk_space.h"
#include "main/program.h"

namespace infra {

class DiskWatch {
 public:
  explicit DiskWatch(Program& program)
      : program_(program), space_(program.folder.path(), program.overload, program.machine.disk) {}

  // The disk as it is now; for the start of the program.
  DiskState look() { return space_.look(); }

  // For those who write, where blocking is allowed.
  [[nodiscard]] std::function<Result<void>()> admits(Action action) {
    return [this, action] { return space_.admit(action); };
  }
  [[nodiscard]] std::function<bool(std::uint64_t)> has_room() {
    return [this](std::uint64_t bytes) { return space_.has_room(bytes); };
  }

  // Until `stopping`, where nobody else looks.
  Task<void> watch_on(const std::atomic<bool>& stopping);

 private:
  Program& program_;
  DiskSpace space_;
};

}  // namespace infra
