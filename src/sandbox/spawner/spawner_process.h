// The spawner's loop: takes requests from the program, keeps a few sandboxes parked ahead of need, and reports what
// ends. One thread; nothing in it waits for a sandbox, so that one slow launch holds up no other.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "sandbox/inside/sandbox_root.h"
#include "sandbox/inside/seccomp_filter.h"
#include "sandbox/protocol/spawner_options.h"
#include "sandbox/protocol/spawner_protocol.h"
#include "sandbox/protocol/version_hash.h"
#include "sandbox/spawner/cgroup_slots.h"
#include "sandbox/spawner/egress.h"
#include "sandbox/spawner/lock_flood.h"
#include "sandbox/spawner/prewarm_policy.h"
#include "sandbox/spawner/root_template.h"
#include "sandbox/spawner/shared_locks.h"
#include "sandbox/spawner/zygotes.h"
#include "sandbox/system/message_socket.h"

namespace infra::sandbox {

class SpawnerProcess {
 public:
  // `socket` is the program's; all references must outlive this.
  SpawnerProcess(const SpawnerOptions& options, int socket, CgroupSlots& cgroups, const SeccompPrograms& seccomp);
  // Until the program's socket closes; then kills all sandboxes and removes their groups.
  void run();

 private:
  enum class State {
    free,
    preparing,  // its init builds the sandbox; a launch may already be waiting for it
    parked,     // its runner waits for a function
    launching,  // its init has been told what to run
    running,
    draining,  // its processes are gone, but the kernel still holds its groups
  };
  struct Slot {
    State state = State::free;
    SandboxKind kind;
    UniqueFd init_fd;  // pidfd
    pid_t init_pid = -1;
    bool init_in_groups = false;
    bool frozen = false;
    UniqueFd report;
    PassedFds streams;
    UniqueFd disk;      // what its runner has read, if no group counts that
    UniqueFd counters;  // of its network, if it has one
    int network = -1;   // and that one's number
    std::uint32_t ai_port = 0;
    std::uint64_t sandbox = 0;    // its number from here on; the worker learns it when it runs
    std::uint64_t request = 0;    // of the launch that waits for it; 0: none
    std::uint32_t memory_mb = 0;  // and what it asked for
    VersionHash version{};
    SandboxUsage prepared;  // used before it had a function
    bool has_status = false;
    int wait_status = 0;
    std::string failure;
    bool short_of_descriptors = false;  // and that alone is the failure
  };
  [[nodiscard]] bool wait_for_events();
  // What no launch waits for: done when nothing else is to do, and now and then where something always is.
  void keep_house(SteadyTime now);
  [[nodiscard]] bool take_requests();
  void take_slot_events();
  void watch(std::size_t index);
  void unwatch(const UniqueFd& fd) const;
  [[nodiscard]] int time_to_wait();
  [[nodiscard]] int time_to_idle_work() const;
  bool refill(std::optional<SandboxKind> kind);
  void give_up_surplus();
  void end_lock_holders();
  void look_at_flood();
  void retry_removals();
  void shut_down();

  void handle(const SpawnerRequest& request);
  void launch(const SpawnerRequest& request);
  void freeze(const SpawnerRequest& request);
  void answer_usage(const SpawnerRequest& request);
  void answer_list(const SpawnerRequest& request);
  void answer_egress(const SpawnerRequest& request);

  bool prepare(std::size_t index, const SandboxKind& kind);
  [[nodiscard]] Result<void> start_init(std::size_t index, const SandboxKind& kind, int report);
  void ask_for_runner(std::size_t index, const PassedFds& fds);
  void take_runners();
  void give_own_runner(std::size_t index);
  void command(std::size_t index);
  void take_reports(std::size_t index);
  void take_report(std::size_t index, const InitReport& report, PassedFds fds);
  void tell_launched(std::size_t index);
  void take_exit(std::size_t index);
  void tell_end(std::size_t index);
  static void note_failure(Slot& slot, const Error& error);
  void clear(std::size_t index);
  void kill(const Slot& slot) const;
  [[nodiscard]] SharedLocks::Suspect suspect(std::size_t index, std::int64_t most) const;
  [[nodiscard]] std::vector<SandboxKind> basic_kinds() const;
  [[nodiscard]] int ready(const SandboxKind& kind) const;
  [[nodiscard]] PrewarmPolicy::Count counter() const;
  [[nodiscard]] int in_use() const;
  [[nodiscard]] SandboxUsage used_in_all(std::size_t index) const;  // before it had a function, too; no network
  [[nodiscard]] SandboxUsage usage(std::size_t index) const;

  [[nodiscard]] Slot* find(std::uint64_t sandbox, State state = State::running);
  [[nodiscard]] std::size_t count(State state) const;
  void send(const SpawnerEvent& event, std::span<const int> fds = {});

  const SpawnerOptions& options_;
  const int socket_;
  CgroupSlots& cgroups_;
  const SeccompPrograms& seccomp_;
  const UniqueFd watched_;  // epoll: the slots' reports and pidfds, each by its slot's number
  std::vector<Slot> slots_;
  PrewarmPolicy prewarm_;
  RootTemplates roots_;
  const ProcCovers proc_;
  Zygotes zygotes_;
  SharedLocks locks_;
  std::vector<SharedLocks::Suspect> suspects_;  // frozen since the last look
  LockFlood flood_;
  bool flood_is_looked_at_ = false;
  int awake_ = 0;  // that run and are not frozen
  Egress egress_;
  SteadyTime kept_house_{};  // last
  std::uint64_t last_sandbox_ = 0;
  // Nothing lacked when the stock was last looked at, and no slot has changed since. There may be a thousand slots to
  // count, and most messages change none.
  bool content_ = false;
  bool stop_ = false;
};

}  // namespace infra::sandbox
