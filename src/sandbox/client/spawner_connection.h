// One socket to the spawner, shared by all threads: requests are matched with their replies by id, and what a sandbox
// reports of its own accord is kept for its waiter.
#pragma once

#include <atomic>
#include <cstdint>
#include <future>
#include <map>
#include <memory>
#include <thread>

#include "core/mutex.h"
#include "sandbox/client/spawner.h"
#include "sandbox/launcher.h"
#include "sandbox/protocol/spawner_protocol.h"
#include "sandbox/system/message_socket.h"

namespace infra::sandbox {

// The state of one launched sandbox. Set once, by the receiver thread.
class SandboxLife {
 public:
  void end(const SandboxExit& exit, const SandboxUsage& usage);
  // Nullopt after `patience`.
  [[nodiscard]] std::optional<SandboxExit> wait(milliseconds patience);
  [[nodiscard]] SandboxExit wait();
  [[nodiscard]] std::optional<SandboxUsage> final_usage();

 private:
  Mutex mutex_;
  CondVar changed_;
  bool ended_ INFRA_GUARDED_BY(mutex_) = false;
  SandboxExit exit_ INFRA_GUARDED_BY(mutex_);
  SandboxUsage usage_ INFRA_GUARDED_BY(mutex_);
};

class SpawnerConnection {
 public:
  struct Reply {
    SpawnerEvent event;
    PassedFds fds;
    bool cut = false;                   // some of `fds` are lacking, because this process has none free
    std::shared_ptr<SandboxLife> life;  // of `launched`
  };

  explicit SpawnerConnection(SpawnerHandle spawner);
  ~SpawnerConnection();  // ends the spawner and waits for it
  SpawnerConnection(const SpawnerConnection&) = delete;
  SpawnerConnection& operator=(const SpawnerConnection&) = delete;

  // Blocks until the reply is there. `unavailable` if the spawner has died.
  [[nodiscard]] Result<Reply> ask(SpawnerRequest request);
  void tell(const SpawnerRequest& request);
  [[nodiscard]] bool alive() const { return alive_; }

 private:
  void receive();
  void take(const SpawnerEvent& event, PassedFds fds, bool cut);
  void take_end(const SpawnerEvent& event);
  void spawner_died();

  SpawnerHandle spawner_;
  std::atomic<bool> alive_ = true;
  Mutex mutex_;
  std::uint64_t last_id_ INFRA_GUARDED_BY(mutex_) = 0;
  std::map<std::uint64_t, std::promise<Result<Reply>>> waiting_ INFRA_GUARDED_BY(mutex_);     // by request id
  std::map<std::uint64_t, std::shared_ptr<SandboxLife>> sandboxes_ INFRA_GUARDED_BY(mutex_);  // by sandbox
  std::thread receiver_;
};

}  // namespace infra::sandbox
