#include "platform/oracle.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace infra::sim {
namespace {

using End = FunctionPlan::End;

constexpr std::size_t kMostComplaints = 20;
constexpr WorldTime kLongestTelling = std::chrono::minutes(1);  // of what came of a run, to its client

// What came of it if nothing but the function decided.
std::string_view expected_result(const Step& step) {
  switch (step.end) {
    case End::value:
      return "SUCCESS";
    case End::hang:
      return "TIMEOUT";
    default:
      return "FAILED";
  }
}

}  // namespace

void Oracle::complain(std::string what) {
  if (complaints_.size() < kMostComplaints)
    complaints_.push_back(fmt::format("at {} ms: {}", scheduler_.now().count() / 1'000'000, what));
}

KnownJob& Oracle::add_job(const Step& step, std::size_t function) {
  KnownJob& job = jobs[step.number];
  job.step = step;
  job.function = function;
  job.sent = scheduler_.now();
  wait_anew(job);
  return job;
}

void Oracle::answered(int number, const Answer& answer) {
  KnownJob& job = jobs.at(number);
  job.answered = scheduler_.now();
  job.status = answer.status;
  if (job.status == 202 && job.starts.empty()) job.waits_from = *job.answered;
  job.code = answer.text("code");
  job.request = answer.text("jobId");
  if (job.request.empty()) job.request = answer.text("requestId");
  if (job.code == "internal") complain(fmt::format("run #{} was answered with an internal error", number));
  if (answer.status == 200) heard(number, answer.text("status"));
}

void Oracle::heard(int number, const std::string& result) {
  KnownJob& job = jobs.at(number);
  if (!job.result.empty() && job.result != result)
    complain(fmt::format("run #{} had the result {}, and has {} now", number, job.result, result));
  job.result = result;
  if (!job.heard) job.heard = scheduler_.now();
}

// Of the limits that may have held when it was accepted the largest; 0: there may have been none.
int Oracle::most_at_once(const KnownJob& job) const {
  const auto& versions = functions.at(job.function).versions;
  std::vector<int> possible;
  for (std::size_t i = 0; i < versions.size(); ++i) {
    const SentVersion& version = versions[i];
    if (i > 0 && version.max_concurrency == 0) continue;
    if (version.answered && !version.accepted && !version.unknown) continue;
    if (job.answered && version.sent > *job.answered) continue;
    if (version.accepted && *version.answered < job.sent) possible.clear();
    possible.push_back(version.max_concurrency);
  }
  const bool none = possible.empty() || std::ranges::find(possible, 0) != possible.end();
  return none ? 0 : std::ranges::max(possible);
}

void Oracle::check_version(const KnownJob& job, const std::string& code) {
  const KnownFunction& function = functions.at(job.function);
  const auto found = std::ranges::find(function.versions, code, &SentVersion::code);
  if (found == function.versions.end())
    return complain(fmt::format("run #{} runs code of another function: {}", job.step.number, code));
  if (!found->accepted && !found->unknown && found->answered)
    return complain(fmt::format("run #{} runs code that was refused: {}", job.step.number, code));
  // It is another's turn from the moment on when the next one's sender was told so.
  for (auto next = std::next(found); next != function.versions.end(); ++next) {
    const bool came_after = found->answered && next->sent >= *found->answered;
    if (!next->code.empty() && next->accepted && came_after && *next->answered < job.sent)
      return complain(fmt::format("run #{} was sent after {} had been replaced, and runs it", job.step.number, code));
  }
}

WorldTime Oracle::idle() const {
  return idle_ + (all_running_ == 0 ? scheduler_.now() - running_since_ : WorldTime{0});
}

WorldTime Oracle::underused() const {
  return underused_ + (all_running_ < common_slots() ? scheduler_.now() - running_since_ : WorldTime{0});
}

void Oracle::note_running(int more) {
  idle_ = idle();
  underused_ = underused();
  running_since_ = scheduler_.now();
  all_running_ += more;
}

void Oracle::wait_anew(KnownJob& job) const {
  job.waits_from = scheduler_.now();
  job.idle_before = idle();
  job.underused_before = underused();
}

void Oracle::wait_anew() {
  for (auto& [number, job] : jobs) wait_anew(job);
}

// A run waits for others, and not for nothing.
void Oracle::check_wait(const KnownJob& job) {
  const WorldTime waited = idle() - job.idle_before;
  if (waited > patience_.longest_idle)
    complain(
        fmt::format("run #{} waited while nothing ran, {} ms in all", job.step.number, waited.count() / 1'000'000));
  if (!patience_.longest_start || losses > 0 || most_at_once(job) > 0) return;
  check_use(job);
  check_fairness(job);
}

// A run without a limit of its function's that waits has all slots taken that are for anybody. One of them may be taken
// by a run that has not begun yet: for as long as a start takes, with each run that begins meanwhile.
void Oracle::check_use(const KnownJob& job) {
  std::int64_t starts = common_slots();
  for (const auto& [number, other] : jobs)
    starts += std::ranges::count_if(other.starts, [&](const Start& one) { return one.begun >= job.waits_from; });
  const WorldTime waited = underused() - job.underused_before;
  const WorldTime most = patience_.longest_idle + (starts * *patience_.longest_start);
  if (waited > most)
    complain(fmt::format("run #{} waited while slots were free, {} ms in all; {} are explained", job.step.number,
                         waited.count() / 1'000'000, most.count() / 1'000'000));
}

// What others may have while a function that has nothing running waits (docs/decisions/0035). Every free slot goes to
// the ring of those then, in which each visit forgives a quantum q, and who owes nothing is served. The function f owes
// at most what its runs have used, u, and what those that run are charged, which is no more than one of its longest
// runs m for each of the s slots; it is visited until that is forgiven, once more for each of its n runs that come
// before this one, and once to begin it: (u + s * m) / q + n + 1 times. Between two visits each other function g has
// one: it is forgiven q, on top of at most q that it had to its credit, and pays later for what its runs, one a slot at
// the most, use beyond what they were charged, m' each. So g's runs that began meanwhile have no more than u + s * (m +
// m') + q * (n + 3) of slot time.
void Oracle::check_fairness(const KnownJob& job) {
  constexpr WorldTime kQuantum = FairLines::kQuantum;
  const auto slots = std::int64_t{patience_.slots};
  const WorldTime start = *patience_.longest_start;
  struct Use {
    WorldTime all{0}, longest{0}, in_its_place{0};
    std::int64_t begun = 0;  // meanwhile
  };
  std::map<std::size_t, Use> uses;
  for (const auto& [number, other] : jobs) {
    for (const Start& one : other.starts) {
      Use& use = uses[other.function];
      const WorldTime time = time_of(one);
      use.all += time + start;
      use.longest = std::max(use.longest, time + start);
      if (one.begun < job.waits_from) continue;
      ++use.begun;
      // Clients have a slot of their own.
      const bool in_its_place = ((one.without_runs >> job.function) & 1U) != 0;
      if (in_its_place && other.step.kind == Step::Kind::run_async) use.in_its_place += time;
    }
  }
  const Use own = uses[job.function];
  for (const auto& [function, use] : uses) {
    if (function == job.function) continue;
    const WorldTime most = own.all + (slots * (own.longest + use.longest)) + ((own.begun + 3) * kQuantum);
    if (use.in_its_place > most)
      complain(fmt::format("run #{} waited while runs of f{} that began later had {} ms; {} are its share",
                           job.step.number, function, use.in_its_place.count() / 1'000'000, most.count() / 1'000'000));
  }
}

void Oracle::begins(const FunctionCall& call, int number) {
  const auto found = jobs.find(number);
  if (found == jobs.end()) return complain(fmt::format("a call of no run: {}", call.input));
  KnownJob& job = found->second;
  const KnownFunction& function = functions.at(job.function);
  if (!job.request.empty() && job.request != call.request)
    complain(fmt::format("run #{} runs as {} and was accepted as {}", number, call.request, job.request));
  if (!job.starts.empty() && !job.starts.back().ended) complain(fmt::format("run #{} begins while it runs", number));
  if (job.heard) complain(fmt::format("run #{} begins after it had its result, {}", number, job.result));
  if (recorded_.contains(call.request)) complain(fmt::format("run #{} begins though the disk has its row", number));
  if (job.answered && (job.status == 404 || job.status == 429))
    complain(fmt::format("run #{} was refused with {}, and begins", number, job.status));
  if (job.step.kind == Step::Kind::run_sync && !job.starts.empty())
    complain(fmt::format("run #{}, which a client waits for, begins again", number));
  if (function.removed && job.sent > *function.removed)
    complain(fmt::format("run #{} was sent after its function was deleted, and begins", number));
  check_wait(job);
  job.starts.push_back({.code = call.code, .begun = scheduler_.now()});
  for (std::size_t index = 0; index < std::min<std::size_t>(functions.size(), 64); ++index) {
    if (running_[index] == 0) job.starts.back().without_runs |= std::uint64_t{1} << index;
  }
  if (job.starts.size() > static_cast<std::size_t>(kMostStarts + stops))
    complain(fmt::format("run #{} begins for the {}th time", number, job.starts.size()));
  check_version(job, call.code);
  note_running(1);
  const int now = ++running_[job.function];
  const int most = most_at_once(job);
  if (most > 0 && now > most) complain(fmt::format("{} runs of f{} at once; {} are allowed", now, job.function, most));
}

void Oracle::ends(const FunctionCall& /*call*/, int number) {
  KnownJob& job = jobs.at(number);
  --running_[job.function];
  note_running(-1);
  if (job.starts.empty() || job.starts.back().ended) return complain(fmt::format("run #{} ends twice", number));
  job.starts.back().ended = scheduler_.now();
}

std::set<std::string> Oracle::possible_codes(std::size_t index) const {
  std::set<std::string> codes;
  for (const SentVersion& version : functions.at(index).versions) {
    if (version.code.empty()) continue;
    // Once it is answered, what was answered before it was sent is over.
    if (version.accepted) {
      std::erase_if(codes, [&](const std::string& code) {
        const auto other = std::ranges::find(functions.at(index).versions, code, &SentVersion::code);
        return other->answered && *other->answered < version.sent;
      });
      codes.insert(version.code);
    } else if (version.unknown || !version.answered) {
      codes.insert(version.code);
    }
  }
  return codes;
}

void Oracle::check_rows(std::size_t index, const boost::json::array& rows, std::int64_t invocations,
                        const Scenario& scenario) {
  // What a client waited for is in memory alone until its row is on the disk: it goes with the program, and with a stop
  // whose time is over before the disk takes a write again.
  const bool rows_are_sure = losses == 0 && (stops == 0 || !scenario.has(Fault::disk_errors));
  std::map<std::string, int> seen;
  for (const auto& row : rows) ++seen[std::string(row.at("requestId").as_string())];
  for (const auto& [request, count] : seen) {
    if (count > 1) complain(fmt::format("{} has {} rows", request, count));
  }
  if (std::cmp_not_equal(invocations, rows.size()))
    complain(fmt::format("f{} has {} rows and counts {} invocations", index, rows.size(), invocations));
  std::size_t known = 0;
  std::size_t unknown = 0;
  for (const auto& [number, job] : jobs) {
    if (job.function != index) continue;
    const bool has_row = !job.request.empty() && seen.contains(job.request);
    known += has_row ? 1 : 0;
    if (job.request.empty()) ++unknown;
    if (job.status == 202 && !has_row) complain(fmt::format("run #{} was accepted, and has no row", number));
    if (job.status == 429 && has_row) complain(fmt::format("run #{} was refused, and has a row", number));
    if (job.step.kind == Step::Kind::run_sync && !job.result.empty() && !has_row && rows_are_sure)
      complain(fmt::format("run #{} was answered {}, and has no row", number, job.result));
  }
  if (seen.size() > known + unknown)
    complain(fmt::format("f{} has rows of {} runs that nobody sent", index, seen.size() - known - unknown));
}

// Whether its result is one that its function's end explains.
bool Oracle::may_end_so(const KnownJob& job, const Scenario& scenario) const {
  if (job.result == expected_result(job.step)) return true;
  if (job.result == "TIMEOUT") {
    constexpr milliseconds kSlack{2000};
    return std::ranges::any_of(functions.at(job.function).versions, [&](const SentVersion& version) {
      return version.timeout.count() > 0 && (scenario.has(Fault::freeze) || job.step.takes + kSlack > version.timeout);
    });
  }
  return was_taken_along(job);
}

// An instance that an earlier call has left to end by itself takes the next one along, perhaps before that has begun.
bool Oracle::was_taken_along(const KnownJob& job) const {
  return job.result == "FAILED" && std::ranges::any_of(jobs, [&](const auto& other) {
           return other.second.function == job.function && other.second.step.ends_after.count() >= 0;
         });
}

void Oracle::check_jobs(const Scenario& scenario) {
  for (const auto& [number, job] : jobs) {
    if (!job.answered) {
      complain(fmt::format("run #{} was never answered", number));
      continue;
    }
    const bool accepted = job.status == 202;
    if (accepted && job.result.empty()) {
      complain(fmt::format("run #{} was accepted, and has no result", number));
      continue;
    }
    const bool ran = !job.result.empty() && job.result != "ERROR";
    if (ran && job.starts.empty() && !was_taken_along(job))
      complain(fmt::format("run #{} has the result {} without a start", number, job.result));
    if (ran && !may_end_so(job, scenario))
      complain(fmt::format("run #{} has the result {}; its function's end explains {}", number, job.result,
                           expected_result(job.step)));
    // A stop that the disk did not take counts as a loss.
    const int crashes = losses + (scenario.has(Fault::disk_errors) ? stops : 0);
    if (accepted && job.result == "ERROR" && crashes < kMostStarts && !scenario.has(Fault::failed_launch) &&
        !scenario.has(Fault::short_disk))
      complain(fmt::format("run #{} was given up, after {} losses of the program", number, losses));
    if (!job.starts.empty() && !job.starts.back().ended) complain(fmt::format("run #{} still runs", number));
    if (job.step.kind == Step::Kind::run_sync && job.status == 0 && losses + stops == 0)
      complain(fmt::format("run #{} has no answer, though the program was never away", number));
    if (job.status == 504 && !job.starts.empty() && job.starts.back().ended &&
        *job.answered > *job.starts.back().ended + kLongestTelling)
      complain(fmt::format("run #{} was over, and its client waited on until it was told to ask later", number));
  }
}

}  // namespace infra::sim
