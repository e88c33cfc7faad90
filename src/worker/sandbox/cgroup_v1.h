// Slots in the v1 hierarchies of memory, cpu, cpuacct and pids: what older and hybrid machines have.
#pragma once

#include <array>

#include "worker/sandbox/cgroup_slots.h"

namespace infra::worker {

class CgroupV1Slots final : public CgroupSlots {
 public:
  [[nodiscard]] static Result<std::unique_ptr<CgroupV1Slots>> open(const std::string& instance);

  Result<void> sweep() override;
  Result<void> create(int slot) override;
  int clone_target(int) const override { return -1; }
  std::vector<std::string> join_files(int slot) const override;
  Result<void> limit(int slot, int memory_mb) override;
  SandboxUsage usage(int slot) const override;
  void reset_peak(int slot) override;
  bool out_of_memory(int slot) const override;
  bool remove(int slot) override;
  void remove_parents() override;

 private:
  enum Controller : std::size_t { kMemory, kCpu, kCpuAccounting, kPids, kControllers };
  [[nodiscard]] std::string group(Controller controller, int slot) const;

  // <own group>/infra/<instance> of each controller; two may be the same folder ("cpu,cpuacct").
  std::array<std::string, kControllers> bases_;
};

}  // namespace infra::worker
