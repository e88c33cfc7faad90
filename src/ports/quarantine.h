// Versions of functions that took their workers down again and again: none of their runs is begun for a while. Engines:
// SQLite, Redis.
#pragma once

#include <optional>

#include "core/code_version.h"
#include "core/job.h"
#include "core/task.h"
#include "core/time.h"

namespace infra {

// Any thread.
class Quarantine {
 public:
  virtual ~Quarantine() = default;
  // How much longer runs of this version are refused; nullopt: they are taken. From memory, without waiting.
  [[nodiscard]] virtual std::optional<milliseconds> remaining(const FunctionId& function,
                                                              const CodeRef& code) const = 0;
  // A job was given up because its worker was lost each time. The third of its version within limits::kQuarantine
  // begins a quarantine of that length. Best effort.
  virtual Task<void> note_lost(const Job& job) = 0;
};

}  // namespace infra
