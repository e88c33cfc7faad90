// The Background port on a thread.
#pragma once

#include <atomic>
#include <thread>

#include "core/mutex.h"
#include "ports/background.h"

namespace infra {

class BackgroundThread final : public Background {
 public:
  BackgroundThread(const char* name, Step step);
  ~BackgroundThread() override;
  BackgroundThread(const BackgroundThread&) = delete;
  BackgroundThread& operator=(const BackgroundThread&) = delete;

  void wake() override;
  void run_until(const std::function<bool()>& done) override;

 private:
  void run();
  [[nodiscard]] bool wait_until(SteadyTime again);

  const Step step_;
  std::atomic<bool> woken_ = false;
  Mutex mutex_;
  CondVar changed_;
  bool stopping_ INFRA_GUARDED_BY(mutex_) = false;
  int watchers_ INFRA_GUARDED_BY(mutex_) = 0;
  CondVar stepped_;
  std::thread thread_;
};

}  // namespace infra
