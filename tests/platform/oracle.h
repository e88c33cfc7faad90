// What must hold in every run, whatever fails: it hears what clients were told and what functions saw, and says what
// does not go together.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/fair_lines.h"
#include "platform/client.h"
#include "platform/memory_function.h"
#include "platform/scenario.h"
#include "platform/scheduler.h"

namespace infra::sim {

inline constexpr int kMostStarts = 3;  // of a job, each of which was lost (docs/decisions/0012)

// One version of a function's code and settings, as a client sent it.
struct SentVersion {
  std::string code;         // the word in its bundle; empty: the code stayed
  int max_concurrency = 0;  // 0: as before
  milliseconds timeout{0};  // the same
  WorldTime sent{0};
  std::optional<WorldTime> answered{};
  bool accepted = false;
  bool unknown = false;  // the answer was lost
};

struct KnownFunction {
  std::string id;  // empty: not known
  std::vector<SentVersion> versions;
  std::optional<WorldTime> removed;  // since a client was told so
  bool maybe_removed = false;
};

struct Start {
  std::string code;
  WorldTime begun{0};
  std::optional<WorldTime> ended{};
  bool lost = false;               // with the program
  std::uint64_t without_runs = 0;  // the functions that had none when it began, a bit each
};

struct KnownJob {
  Step step;
  std::size_t function = 0;  // of `functions`
  WorldTime sent{0};
  std::optional<WorldTime> answered{};
  int status = 0;                  // of HTTP; 0 where there was none
  std::string code;                // of an error
  std::string request;             // its id; empty: not known
  std::string result;              // SUCCESS …, as the client first heard; empty: it did not
  std::optional<WorldTime> heard;  // that it has a result
  bool forgotten = false;          // a run that a client waited for went with the program
  WorldTime waits_from{0};         // it is known to be in line; anew with each program
  WorldTime idle_before{0};        // of idle() when its wait began
  WorldTime underused_before{0};   // the same of underused()
  std::vector<Start> starts;

  // Its client has its id and no result, and may ask.
  [[nodiscard]] bool goes_on() const {
    return !request.empty() && result.empty() && !forgotten && (status == 202 || status == 503 || status == 504);
  }
};

// What a run may wait for, beside others' runs.
struct Patience {
  WorldTime longest_idle = std::chrono::minutes(10);  // nothing may run for so long while a run waits
  // The rest is asked for only where this is set: of a world in which nothing but slots makes a run wait.
  std::optional<WorldTime> longest_start{};  // of a run in its slot before its function begins
  int slots = 8;                             // of the worker
};

class Oracle {
 public:
  explicit Oracle(Scheduler& scheduler, Patience patience = {}) : scheduler_(scheduler), patience_(patience) {}

  // --- what clients do ---
  std::size_t add_function() {
    functions.emplace_back();
    return functions.size() - 1;
  }
  KnownJob& add_job(const Step& step, std::size_t function);
  void answered(int job, const Answer& answer);
  // A finished result that /status gave.
  void heard(int job, const std::string& result);

  // --- what functions see ---
  void begins(const FunctionCall& call, int job);
  void ends(const FunctionCall& call, int job);
  // Everything that ran is lost; `recorded` has the ids of the requests whose rows the disk has.
  void program_lost(std::set<std::string> recorded) {
    losses += 1;
    recorded_ = std::move(recorded);
    wait_anew();
  }
  void program_stopped() {
    stops += 1;
    wait_anew();
  }

  // --- the end, when all faults are over ---
  // The rows of a function's log, newest first, as GET /functions/:id/logs gives them, and its `invocations`.
  void check_rows(std::size_t function, const boost::json::array& rows, std::int64_t invocations,
                  const Scenario& scenario);
  // Every job, by what its client has heard.
  void check_jobs(const Scenario& scenario);
  // The codes that a function may have now: after the last change that was answered, any that may have come after it.
  [[nodiscard]] std::set<std::string> possible_codes(std::size_t function) const;

  void complain(std::string what);
  [[nodiscard]] const std::vector<std::string>& complaints() const { return complaints_; }

  std::vector<KnownFunction> functions;  // of all that were ever made
  std::map<int, KnownJob> jobs;          // by their step's number
  int losses = 0;
  int stops = 0;

 protected:
  void check_version(const KnownJob& job, const std::string& code);
  void check_wait(const KnownJob& job);
  void check_use(const KnownJob& job);
  void check_fairness(const KnownJob& job);
  void note_running(int more);
  void wait_anew();
  void wait_anew(KnownJob& job) const;
  [[nodiscard]] WorldTime idle() const;       // how long nothing ran, in all
  [[nodiscard]] WorldTime underused() const;  // how long fewer ran than there are slots for all, in all
  [[nodiscard]] int common_slots() const { return SlotShares::of(patience_.slots).common; }
  [[nodiscard]] WorldTime time_of(const Start& start) const {
    return start.ended.value_or(scheduler_.now()) - start.begun;
  }
  [[nodiscard]] int most_at_once(const KnownJob& job) const;
  [[nodiscard]] bool may_end_so(const KnownJob& job, const Scenario& scenario) const;
  [[nodiscard]] bool was_taken_along(const KnownJob& job) const;

  Scheduler& scheduler_;

 private:
  const Patience patience_;
  std::map<std::size_t, int> running_;  // by function
  int all_running_ = 0;
  WorldTime idle_{0}, underused_{0};  // of the spans that are over
  WorldTime running_since_{0};        // so many
  std::set<std::string> recorded_;
  std::vector<std::string> complaints_;
};

}  // namespace infra::sim
