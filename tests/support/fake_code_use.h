// CodeUse and RetiredCode in memory, for tests of code stores; `before_answer` lets a test act in the middle of a
// sweep.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/mutex.h"
#include "ports/code_use.h"

namespace infra::testing {

class FakeCodeUse final : public CodeUse, public RetiredCode {
 public:
  std::function<void(const std::string&)> before_answer = [](const std::string&) {};

  void set_user(const std::string& sha256, CodeUser user) {
    const MutexLock lock(mutex_);
    users_[sha256] = user;
  }
  [[nodiscard]] bool is_listed(const std::string& sha256) {
    const MutexLock lock(mutex_);
    return std::ranges::find(retired_, sha256) != retired_.end();
  }

  Task<Result<CodeUser>> user_of(const std::string& sha256) override {
    const CodeUser user = look_up(sha256);
    before_answer(sha256);
    co_return user;
  }
  Task<Result<void>> add(const std::string& sha256) override {
    const MutexLock lock(mutex_);
    if (std::ranges::find(retired_, sha256) == retired_.end()) retired_.push_back(sha256);
    co_return Result<void>{};
  }
  Task<Result<void>> remove(const std::string& sha256) override {
    const MutexLock lock(mutex_);
    std::erase(retired_, sha256);
    co_return Result<void>{};
  }
  Task<Result<std::vector<std::string>>> list() override {
    const MutexLock lock(mutex_);
    co_return retired_;
  }

 private:
  CodeUser look_up(const std::string& sha256) {
    const MutexLock lock(mutex_);
    const auto found = users_.find(sha256);
    return found == users_.end() ? CodeUser::nobody : found->second;
  }
  Mutex mutex_;
  std::map<std::string, CodeUser> users_ INFRA_GUARDED_BY(mutex_);
  std::vector<std::string> retired_ INFRA_GUARDED_BY(mutex_);
};

}  // namespace infra::testing
