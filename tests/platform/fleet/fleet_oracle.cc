#include "platform/fleet/fleet_oracle.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "adapters/aws/dynamodb/dynamodb_item.h"

namespace infra::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A lease lives for 30 s and is renewed every 10 s, each time within a few: two renewals that fail in a row lose it.
constexpr WorldTime kTwoRenewals = seconds(20);
constexpr WorldTime kLease = seconds(30);
// A change is announced to all controllers; a row counts as current for 2 s after its read began where that is lost.
constexpr WorldTime kAnnouncement = milliseconds(50);
constexpr WorldTime kRowIsCurrent = milliseconds(2100);
// Where reads fail as well, what is known is served on, until one succeeds.
constexpr WorldTime kReadsFail = seconds(60);
constexpr WorldTime kLongestWait = seconds(310);                // 290 s, and the answer's way
constexpr WorldTime kLongestTelling = std::chrono::minutes(1);  // of what came of a run, to its client

}  // namespace

void FleetOracle::out_of_touch(int worker, WorldTime until) {
  out_of_touch_[worker] = std::max(out_of_touch_[worker], until);
  ++times_out_of_touch_;
}

bool FleetOracle::redis_is_hard_to_reach() const {
  const FleetPart& fleet = *scenario_.fleet;
  return fleet.has(FleetFault::redis_drops) || fleet.has(FleetFault::redis_late) ||
         fleet.has(FleetFault::redis_refuses) || fleet.has(FleetFault::redis_freezes) ||
         fleet.has(FleetFault::redis_loses);
}

// Of that worker's lease of the job: because Redis has forgotten it, or the worker could not renew it.
bool FleetOracle::may_have_lost_its_lease(const KnownJob& job, int worker) const {
  if (redis_forgot_since(job.sent)) return true;
  if (redis_is_hard_to_reach() && scheduler_.now() - job.sent >= kTwoRenewals) return true;
  const auto found = out_of_touch_.find(worker);
  return found != out_of_touch_.end() && found->second >= job.sent;
}

// Of all workers that began it one may not have had its lease to the end.
bool FleetOracle::was_shared(const KnownJob& job) const {
  const auto found = starters_.find(job.step.number);
  return found != starters_.end() &&
         std::ranges::any_of(found->second, [&](int worker) { return may_have_lost_its_lease(job, worker); });
}

// After a change was answered controllers may run what was before it for that long.
WorldTime FleetOracle::staleness() const {
  const FleetPart& fleet = *scenario_.fleet;
  if (!redis_is_hard_to_reach() && !scenario_.has(Fault::freeze)) return kAnnouncement;
  const bool reads_fail = fleet.has(FleetFault::dynamo_refuses) || fleet.has(FleetFault::dynamo_fails) ||
                          fleet.has(FleetFault::dynamo_late);
  return kRowIsCurrent + (reads_fail ? kReadsFail : WorldTime{0});
}

void FleetOracle::check_code(const KnownJob& job, const std::string& code) {
  const KnownFunction& function = functions.at(job.function);
  const WorldTime slack = staleness();
  if (function.removed && job.sent > *function.removed + slack)
    complain(fmt::format("run #{} was sent after its function was deleted, and begins", job.step.number));
  const auto found = std::ranges::find(function.versions, code, &SentVersion::code);
  if (found == function.versions.end())
    return complain(fmt::format("run #{} runs code of another function: {}", job.step.number, code));
  if (!found->accepted && !found->unknown && found->answered)
    return complain(fmt::format("run #{} runs code that was refused: {}", job.step.number, code));
  for (auto next = std::next(found); next != function.versions.end(); ++next) {
    const bool came_after = found->answered && next->sent >= *found->answered;
    if (next->accepted && came_after && *next->answered + slack < job.sent)
      return complain(fmt::format("run #{} was sent after {} had been replaced, and runs it", job.step.number, code));
  }
}

void FleetOracle::check_concurrency(const KnownJob& job) {
  const int most = most_at_once(job);
  if (most == 0) return;
  int now = 0;
  for (const Running& other : running_) {
    const KnownJob& its = jobs.at(other.job);
    if (its.function != job.function) continue;
    ++now;
    // Its place is free once it is not renewed, or once another worker that had the job gives it back, and goes
    // unnoticed with Redis' memory.
    if (was_shared(its) || redis_forgot_since(other.begun - kLease)) return;
  }
  if (now > most) complain(fmt::format("{} runs of f{} at once; {} are allowed", now, job.function, most));
}

void FleetOracle::check_start(const KnownJob& job, const FunctionCall& call, int worker) {
  const int number = job.step.number;
  if (!job.request.empty() && job.request != call.request)
    complain(fmt::format("run #{} runs as {} and was accepted as {}", number, call.request, job.request));
  for (const Running& other : running_) {
    if (other.job == number && !may_have_lost_its_lease(job, other.worker))
      complain(fmt::format("run #{} begins at worker {} while it runs at worker {}", number, worker, other.worker));
  }
  // Whoever has the lease has looked for the row, and nobody else puts one; a result alone may have been told by a
  // worker that was lost then.
  starters_[number].insert(worker);
  if (!was_shared(job) && cloud_.has_row(call.function, call.request))
    complain(fmt::format("run #{} begins though it has its row", number));
  if (job.answered && (job.status == 404 || job.status == 429))
    complain(fmt::format("run #{} was refused with {}, and begins", number, job.status));
  const int most = kMostStarts + stops + (kMostStarts * forgot_);
  if (std::cmp_greater_equal(job.starts.size(), most))
    complain(fmt::format("run #{} begins for the {}th time", number, job.starts.size() + 1));
  check_code(job, call.code);
}

void FleetOracle::begins(const FunctionCall& call, int number, int worker) {
  const auto found = jobs.find(number);
  if (found == jobs.end()) return complain(fmt::format("a call of no run: {}", call.input));
  KnownJob& job = found->second;
  check_start(job, call, worker);
  running_.push_back({.job = number, .worker = worker, .start = job.starts.size(), .begun = scheduler_.now()});
  job.starts.push_back({.code = call.code, .begun = scheduler_.now(), .ended = std::nullopt, .lost = false});
  check_concurrency(job);
}

void FleetOracle::ends(const FunctionCall& /*call*/, int number, int worker) {
  const auto found =
      std::ranges::find_if(running_, [&](const Running& one) { return one.job == number && one.worker == worker; });
  if (found == running_.end()) return complain(fmt::format("run #{} ends twice", number));
  jobs.at(number).starts.at(found->start).ended = scheduler_.now();
  running_.erase(found);
}

// A waiting client's result: Redis forgot it, and the worker that told it was lost before it had put its row.
bool FleetOracle::only_redis_had_it(const KnownJob& job) const {
  return job.step.kind == Step::Kind::run_sync && job.starts.size() > 1 && losses > 0 && job.heard &&
         redis_forgot_since(*job.heard);
}

// A row's put decides who counts. A crash or a lost answer between the two may cost one count, and never adds one.
void FleetOracle::check_rows(std::size_t index, const boost::json::array& rows, std::int64_t invocations) {
  const auto counted = static_cast<std::size_t>(invocations);
  const FleetPart& fleet = *scenario_.fleet;
  const bool may_lack = losses + stops + times_out_of_touch_ > 0 || fleet.has(FleetFault::dynamo_fails) ||
                        fleet.has(FleetFault::dynamo_late);
  if (counted > rows.size() || (counted < rows.size() && !may_lack))
    complain(fmt::format("f{} has {} rows and counts {} invocations", index, rows.size(), invocations));
  Oracle::check_rows(index, rows, static_cast<std::int64_t>(rows.size()), scenario_);
  for (const auto& [number, job] : jobs) {
    if (job.function != index || job.request.empty() || job.result.empty()) continue;
    const auto row =
        std::ranges::find_if(rows, [&](const auto& one) { return one.at("requestId").as_string() == job.request; });
    if (row == rows.end()) {
      complain(fmt::format("run #{} was answered {}, and has no row", number, job.result));
    } else if (row->at("status").as_string() != job.result && !only_redis_had_it(job)) {
      complain(fmt::format("run #{} has the result {}, and its row {}", number, job.result,
                           std::string(row->at("status").as_string())));
    }
  }
}

// Started three times and lost each time; or refused, because others of its version were.
bool FleetOracle::may_be_given_up(const KnownJob& job) const {
  if (job.code == "sandbox_failed") return scenario_.has(Fault::failed_launch);
  return losses + times_out_of_touch_ >= kMostStarts || redis_is_hard_to_reach() || scenario_.has(Fault::failed_launch);
}

void FleetOracle::check_answer(const KnownJob& job) {
  const int number = job.step.number;
  if (*job.answered - job.sent > kLongestWait)
    complain(fmt::format("run #{} was answered after {} s", number, (*job.answered - job.sent) / seconds(1)));
  if (job.status == 0 && job.step.kind == Step::Kind::run_sync && losses + stops == 0)
    complain(fmt::format("run #{} has no answer, though no program was ever away", number));
  // What came of a run that a client waits for is in Redis alone, if it is small.
  if (job.status == 504 && !job.starts.empty() && job.starts.back().ended && !redis_forgot_since(job.sent) &&
      *job.answered > *job.starts.back().ended + kLongestTelling)
    complain(fmt::format("run #{} was over, and its client waited on until it was told to ask later", number));
}

void FleetOracle::check_jobs() {
  for (const auto& [number, job] : jobs) {
    if (!job.answered) {
      complain(fmt::format("run #{} was never answered", number));
      continue;
    }
    check_answer(job);
    if (job.status == 202 && job.result.empty()) {
      complain(fmt::format("run #{} was accepted, and has no result", number));
      continue;
    }
    if (std::ranges::any_of(job.starts, [](const Start& start) { return !start.ended; }))
      complain(fmt::format("run #{} still runs", number));
    if (job.result.empty()) continue;
    if (job.result == "ERROR") {
      if (!may_be_given_up(job))
        complain(fmt::format("run #{} was given up, after {} losses of programs", number, losses));
      continue;
    }
    if (job.starts.empty() && !was_taken_along(job))
      complain(fmt::format("run #{} has the result {} without a start", number, job.result));
    if (!may_end_so(job, scenario_)) complain(fmt::format("run #{} has the result {}", number, job.result));
  }
}

void FleetOracle::check_engines() {
  const auto objects = cloud_.aws().s3().objects(std::string(kBucket));
  for (const auto& row : cloud_.aws().dynamodb().items(std::string(kFunctionsTable))) {
    const std::string key = aws::text_attribute_of(row, "s3Key");
    const auto object = objects.find(key);
    if (object == objects.end()) {
      complain(fmt::format("the code of {} is not there", aws::text_attribute_of(row, "functionId")));
    } else if (!object->second.tag.empty()) {
      complain(fmt::format("the code of {} is going to be deleted", aws::text_attribute_of(row, "functionId")));
    }
  }
  if (const auto left = cloud_.queue().messages(); !left.empty())
    complain(fmt::format("{} messages are left, the first received {} times", left.size(), left.front().receives));
  if (const auto dead = cloud_.dead_letters().messages(); !dead.empty())
    complain(fmt::format("{} messages are dead", dead.size()));
}

}  // namespace infra::sim
