// The worker's side of the spawner: a Launcher whose sandboxes are made by the privileged process.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "sandbox/client/spawner.h"
#include "sandbox/launcher.h"

namespace infra::sandbox {

class DiskActivity;
class SpawnerConnection;

class SandboxLauncher final : public Launcher {
 public:
  explicit SandboxLauncher(SpawnerHandle spawner);
  // The spawner ends, and with it every sandbox, when this and the last Sandbox are gone.
  ~SandboxLauncher() override;

  Result<std::unique_ptr<Sandbox>> launch(const LaunchRequest& request) override;
  [[nodiscard]] Result<void> open_egress() override;
  [[nodiscard]] int capacity() const override;

  struct Counts {
    int running = 0;
    int prepared = 0;
  };
  // As the spawner sees it.
  [[nodiscard]] Result<Counts> counts();
  // False once the spawner has died: no sandbox can be launched any more, and a restart of the program is due.
  [[nodiscard]] bool alive() const override;
  // For what else the spawner does.
  [[nodiscard]] const std::shared_ptr<SpawnerConnection>& connection() const { return connection_; }

 private:
  std::shared_ptr<SpawnerConnection> connection_;
  const std::shared_ptr<const DiskActivity> disks_;
  int capacity_;
  const std::vector<std::string> engine_hosts_;
  std::atomic<bool> egress_open_ = false;
};

}  // namespace infra::sandbox
