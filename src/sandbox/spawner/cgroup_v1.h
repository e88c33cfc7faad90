// Slots in the v1 hierarchies of memory, cpu, cpuacct and pids: what older and hybrid machines have.
#pragma once

#include <array>
#include <cstddef>

#include "sandbox/spawner/cgroup_slots.h"

namespace infra::sandbox {

class CgroupV1Slots final : public CgroupSlots {
 public:
  [[nodiscard]] static Result<std::unique_ptr<CgroupV1Slots>> open(const std::string& instance);

  Result<void> sweep() override;
  Result<void> create(int slot) override;
  int clone_target(int) const override { return -1; }
  std::vector<std::string> join_files(int slot) const override;
  Result<void> limit(int slot, int memory_mb) override;
  SandboxUsage usage(int slot) const override;
  bool counts_disk(int) const override { return false; }  // one more group to join, which is what a start waits for
  UsageFiles usage_files(int slot) const override;
  std::string process_count_file(int slot) const override;
  bool out_of_memory(int slot) const override;
  void freeze(int slot, bool frozen) override;
  bool remove(int slot) override;
  void remove_parents() override;

 private:
  // The last is the v2 hierarchy that most such machines have beside: without controllers, but it can freeze and counts
  // CPU time; where it does, there are no groups for accounting.
  enum Hierarchy : std::size_t { kMemory, kCpu, kCpuAccounting, kPids, kUnified, kHierarchies };
  [[nodiscard]] std::string group(Hierarchy hierarchy, int slot) const;
  [[nodiscard]] std::string cpu_file(int slot) const;

  // <own group>/infra/<instance> of each; two may be the same folder ("cpu,cpuacct"), the last may be missing.
  std::array<std::string, kHierarchies> bases_;
};

}  // namespace infra::sandbox
