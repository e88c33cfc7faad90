// The references to bundles, by which the code store decides what it may delete: whether a row or job names a bundle,
// and which bundles wait for deletion. Both live in the database; the code store gets them injected so that it need not
// know of SQLite.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/task.h"

namespace infra {

enum class CodeUser : std::uint8_t {
  nobody,
  job,       // unfinished, durable or in memory: nothing is told when it ends, so one looks again
  function,  // its row names the bundle, and retires it some day
};

// Any event thread.
class CodeUse {
 public:
  virtual ~CodeUse() = default;
  // Who names the bundle. Of a job and a function either.
  virtual Task<Result<CodeUser>> user_of(const std::string& sha256) = 0;
};

// The bundles that no function row names any more and that are still on disk. Survives restarts. Any event thread.
class RetiredCode {
 public:
  virtual ~RetiredCode() = default;
  virtual Task<Result<void>> add(const std::string& sha256) = 0;     // durable when it returns; twice is no error
  virtual Task<Result<void>> remove(const std::string& sha256) = 0;  // absent is no error
  virtual Task<Result<std::vector<std::string>>> list() = 0;         // oldest first
};

}  // namespace infra
