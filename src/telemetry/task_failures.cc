#include "telemetry/task_failures.h"

#include <new>

#include "core/mutex.h"
#include "telemetry/log.h"

namespace infra {
namespace {

struct Counts {
  Mutex mutex;
  std::map<std::string, std::uint64_t> by_task INFRA_GUARDED_BY(mutex);
};

Counts& counts() {
  static Counts instance;
  return instance;
}

std::string what_of(const std::exception_ptr& exception) {
  try {
    std::rethrow_exception(exception);
  } catch (const std::bad_alloc&) {
    log::fatal("memory has run out");
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "an exception of unknown type";
  }
}

}  // namespace

void report_task_failure(std::string_view task, const std::exception_ptr& exception, std::string_view request) {
  const std::string what = what_of(exception);
  {
    const MutexLock lock(counts().mutex);
    ++counts().by_task[std::string(task)];
  }
  log::error("a task ended with an exception",
             {{"task", task}, {"requestId", request}, {"code", errors::internal.code}, {"what", what}});
}

std::map<std::string, std::uint64_t> task_failures() {
  const MutexLock lock(counts().mutex);
  return counts().by_task;
}

}  // namespace infra
