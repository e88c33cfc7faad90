#include "adapters/system/background_thread.h"

#include <pthread.h>

#include <utility>

#include "telemetry/thread_stacks.h"

namespace infra {

BackgroundThread::BackgroundThread(const char* name, Step step) : step_(std::move(step)) {
  const QuietThreads quiet;
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), name);
}

BackgroundThread::~BackgroundThread() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

// The flag is taken under the lock under which the thread looks at it before it sleeps: no wake-up is lost.
void BackgroundThread::wake() {
  if (woken_.exchange(true)) return;
  {
    const MutexLock lock(mutex_);
  }
  changed_.notify_one();
}

void BackgroundThread::run_until(const std::function<bool()>& done) {
  {
    const MutexLock lock(mutex_);
    ++watchers_;
  }
  wake();
  MutexLock lock(mutex_);
  while (!done()) stepped_.wait(mutex_);
  --watchers_;
}

void BackgroundThread::run() {
  SteadyTime again = SteadyTime::max();
  while (wait_until(again)) {
    again = step_();
    const MutexLock lock(mutex_);
    if (watchers_ > 0) stepped_.notify_all();
  }
}

// False: it ends.
bool BackgroundThread::wait_until(SteadyTime again) {
  const MutexLock lock(mutex_);
  while (!stopping_ && !woken_.exchange(false)) {
    if (again == SteadyTime::max()) {
      changed_.wait(mutex_);
    } else if (!changed_.wait_until(mutex_, again)) {
      break;
    }
  }
  return !stopping_;
}

}  // namespace infra
