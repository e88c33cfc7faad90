// What a fleet promises, whatever fails (docs/fleet.md, docs/reliability.md): beside what holds on one machine, which
// run may run where, as long as Redis keeps what it was told and workers reach it.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "platform/fleet/fleet_cloud.h"
#include "platform/oracle.h"

namespace infra::sim {

class FleetOracle : public Oracle {
 public:
  FleetOracle(Scheduler& scheduler, const Scenario& scenario, FleetCloud& cloud)
      : Oracle(scheduler), scenario_(scenario), cloud_(cloud) {}

  // --- what functions see, on the worker of that number ---
  void begins(const FunctionCall& call, int job, int worker);
  void ends(const FunctionCall& call, int job, int worker);

  // --- what happens to machines and engines ---
  void machine_lost() { ++losses; }
  void machine_stopped() { ++stops; }
  // A worker stands still, or reaches nobody, until then: what it holds in Redis may be another's meanwhile.
  void out_of_touch(int worker, WorldTime until);
  void redis_forgot() { forgot_at_ = scheduler_.now(), ++forgot_; }
  // So long after its sending a run may find what Redis knew of it at its beginning gone.
  [[nodiscard]] bool redis_forgot_since(WorldTime time) const { return forgot_ > 0 && forgot_at_ >= time; }

  // --- the end, when all faults are over ---
  void check_rows(std::size_t function, const boost::json::array& rows, std::int64_t invocations);
  void check_jobs();
  // Every row's code is there, and not on its way to be deleted; no message is left.
  void check_engines();

 private:
  [[nodiscard]] bool only_redis_had_it(const KnownJob& job) const;

  struct Running {
    int job = 0;
    int worker = 0;
    std::size_t start = 0;  // of the job's
    WorldTime begun{0};
  };
  [[nodiscard]] bool may_have_lost_its_lease(const KnownJob& job, int worker) const;
  [[nodiscard]] bool was_shared(const KnownJob& job) const;
  [[nodiscard]] bool redis_is_hard_to_reach() const;
  [[nodiscard]] WorldTime staleness() const;
  [[nodiscard]] bool may_be_given_up(const KnownJob& job) const;
  void check_start(const KnownJob& job, const FunctionCall& call, int worker);
  void check_code(const KnownJob& job, const std::string& code);
  void check_concurrency(const KnownJob& job);
  void check_answer(const KnownJob& job);

  const Scenario& scenario_;
  FleetCloud& cloud_;
  std::vector<Running> running_;
  std::map<int, std::set<int>> starters_;  // of a job: workers
  std::map<int, WorldTime> out_of_touch_;  // by worker: until when it was, the last time
  int times_out_of_touch_ = 0;
  WorldTime forgot_at_{0};
  int forgot_ = 0;
};

}  // namespace infra::sim
