// What must hold in every run, whatever fails: it hears what clients were told and what functions saw, and says what
// does not go together.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

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
  bool lost = false;  // with the program
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
  WorldTime idle_before{0};        // of idle() when its wait began
  std::vector<Start> starts;

  // Its client has its id and no result, and may ask.
  [[nodiscard]] bool goes_on() const {
    return !request.empty() && result.empty() && !forgotten && (status == 202 || status == 503 || status == 504);
  }
};

class Oracle {
 public:
  // So long nothing may run while a run waits.
  explicit Oracle(Scheduler& scheduler, WorldTime longest_idle = std::chrono::minutes(10))
      : scheduler_(scheduler), longest_idle_(longest_idle) {}

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
  void check_rows(std::size_t function, const boost::json::array& rows, std::int64_t invocations);
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
  void wait_anew();
  [[nodiscard]] WorldTime idle() const;  // how long nothing ran, in all
  [[nodiscard]] int most_at_once(const KnownJob& job) const;
  [[nodiscard]] bool may_end_so(const KnownJob& job, const Scenario& scenario) const;
  [[nodiscard]] bool was_taken_along(const KnownJob& job) const;

  Scheduler& scheduler_;

 private:
  const WorldTime longest_idle_;
  std::map<std::size_t, int> running_;  // by function
  int all_running_ = 0;
  WorldTime idle_until_begun_{0};  // of the spans that are over
  WorldTime idle_since_{0};
  std::set<std::string> recorded_;
  std::vector<std::string> complaints_;
};

}  // namespace infra::sim
