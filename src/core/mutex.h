// The program's only locks: the standard library's, with clang's capability annotations, so that -Wthread-safety (an
// error here) proves that a guarded member is touched under its lock alone. Every guarded member says so:
//   Mutex mutex_;
//   int count_ INFRA_GUARDED_BY(mutex_) = 0;
// The analysis is per thread of control and doesn't see a coroutine suspend: clang-tidy's misc-coroutine-hostile-raii
// refuses a MutexLock that lives over a co_await.
// Source of the attributes: https://clang.llvm.org/docs/ThreadSafetyAnalysis.html
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <utility>

#define INFRA_CAPABILITY(name) __attribute__((capability(name)))
#define INFRA_SCOPED_CAPABILITY __attribute__((scoped_lockable))
#define INFRA_GUARDED_BY(mutex) __attribute__((guarded_by(mutex)))
#define INFRA_REQUIRES(...) __attribute__((requires_capability(__VA_ARGS__)))
#define INFRA_EXCLUDES(...) __attribute__((locks_excluded(__VA_ARGS__)))
#define INFRA_ACQUIRE(...) __attribute__((acquire_capability(__VA_ARGS__)))
#define INFRA_RELEASE(...) __attribute__((release_capability(__VA_ARGS__)))

namespace infra {

// Not recursive.
class INFRA_CAPABILITY("mutex") Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void lock() INFRA_ACQUIRE() { mutex_.lock(); }
  void unlock() INFRA_RELEASE() { mutex_.unlock(); }

 private:
  friend class CondVar;
  std::mutex mutex_;
};

// Holds a mutex for a scope; unlock() and lock() interrupt that, for what must not be called under it.
class INFRA_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) INFRA_ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  ~MutexLock() INFRA_RELEASE() {
    if (held_) mutex_.unlock();
  }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

  void unlock() INFRA_RELEASE() {
    held_ = false;
    mutex_.unlock();
  }
  void lock() INFRA_ACQUIRE() {
    mutex_.lock();
    held_ = true;
  }

 private:
  Mutex& mutex_;
  bool held_ = true;
};

// Blocks threads until another one says that something has changed. Waking without a reason is possible: wait in a
// loop over what is guarded, which the analysis then sees being read under the lock.
//   while (queue_.empty()) changed_.wait(mutex_);
class CondVar {
 public:
  CondVar() = default;
  CondVar(const CondVar&) = delete;
  CondVar& operator=(const CondVar&) = delete;

  void notify_one() noexcept { changed_.notify_one(); }
  void notify_all() noexcept { changed_.notify_all(); }

  void wait(Mutex& mutex) INFRA_REQUIRES(mutex) {
    Borrowed lock(mutex.mutex_);
    changed_.wait(lock.held);
  }
  // False if `deadline` has passed.
  template <typename Clock, typename Duration>
  bool wait_until(Mutex& mutex, std::chrono::time_point<Clock, Duration> deadline) INFRA_REQUIRES(mutex) {
    Borrowed lock(mutex.mutex_);
    return changed_.wait_until(lock.held, deadline) == std::cv_status::no_timeout;
  }
  template <typename Rep, typename Period>
  bool wait_for(Mutex& mutex, std::chrono::duration<Rep, Period> patience) INFRA_REQUIRES(mutex) {
    return wait_until(mutex, std::chrono::steady_clock::now() + patience);
  }

 private:
  // The caller's own lock, in the form in which the standard library waits, and given back as it was.
  struct Borrowed {
    explicit Borrowed(std::mutex& mutex) : held(mutex, std::adopt_lock) {}
    ~Borrowed() { (void)held.release(); }
    Borrowed(const Borrowed&) = delete;
    Borrowed& operator=(const Borrowed&) = delete;
    std::unique_lock<std::mutex> held;
  };

  std::condition_variable changed_;
};

}  // namespace infra
