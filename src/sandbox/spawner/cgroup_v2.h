// Slots in the unified hierarchy: what production machines have.
#pragma once

#include <cstddef>
#include <vector>

#include "sandbox/spawner/cgroup_slots.h"
#include "sandbox/system/cgroup_files.h"
#include "sandbox/system/unique_fd.h"

namespace infra::sandbox {

class CgroupV2Slots final : public CgroupSlots {
 public:
  // Enables the controllers down to the slots' parent. Below its own group if this process is alone there (a service
  // with Delegate=yes, a container): it then moves itself into a leaf, because a group with controllers may hold no
  // process. Else, as in a login session, below the hierarchy's root.
  [[nodiscard]] static Result<std::unique_ptr<CgroupV2Slots>> open(const std::string& instance);

  Result<void> sweep() override;
  Result<void> create(int slot) override;
  int clone_target(int slot) const override;
  std::vector<std::string> join_files(int slot) const override { return {group(slot) + "/cgroup.procs"}; }
  Result<void> limit(int slot, int memory_mb) override;
  SandboxUsage usage(int slot) const override;
  bool counts_disk(int slot) const override { return open_[static_cast<std::size_t>(slot)].io.valid(); }
  UsageFiles usage_files(int slot) const override;
  std::string process_count_file(int slot) const override;
  bool out_of_memory(int slot) const override;
  void freeze(int slot, bool frozen) override;
  bool remove(int slot) override;
  void remove_parents() override;

 private:
  struct Open {
    UniqueFd folder;
    UniqueFd io;    // io.stat, where the controller is there
    UniqueFd peak;  // a reset of memory.peak holds for the descriptor that wrote it
  };
  [[nodiscard]] std::string group(int slot) const { return base_ + "/slot-" + std::to_string(slot); }
  [[nodiscard]] Open& opened(int slot);
  [[nodiscard]] std::int64_t peak(int slot) const;
  [[nodiscard]] std::int64_t disk_read(int slot) const;

  std::string base_;  // <parent>/infra/<instance>
  std::vector<Open> open_;
};

}  // namespace infra::sandbox
