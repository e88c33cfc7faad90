#include "adapters/sqlite/job_strikes.h"

#include <map>
#include <string_view>
#include <utility>

#include "adapters/sqlite/job_row.h"
#include "adapters/sqlite/lost_runs.h"
#include "adapters/sqlite/row_codec.h"
#include "adapters/sqlite/sqlite_result_bus.h"
#include "adapters/sqlite/sqlite_run_recorder.h"
#include "core/error_codes.h"
#include "core/limits.h"

namespace infra {
namespace {

using sqlite::Connection;

constexpr std::string_view kRecord =
    "INSERT INTO job_starts(seq, epoch) VALUES(?,?) ON CONFLICT DO UPDATE SET epoch=excluded.epoch";
constexpr std::string_view kTakeBack = "UPDATE job_starts SET epoch=0 WHERE seq=?";
constexpr std::string_view kDrop = "DELETE FROM job_starts WHERE seq=?";
constexpr std::string_view kBegin = "INSERT INTO epochs(begun_at) VALUES(?)";
constexpr std::string_view kEnd = "UPDATE epochs SET stopped_at=? WHERE epoch=?";
constexpr std::string_view kStrike = "UPDATE job_starts SET strikes=strikes+1 WHERE epoch=?";
constexpr std::string_view kStruckOut =
    "SELECT s.seq, j.receives FROM job_starts s JOIN jobs j ON j.seq=s.seq "
    "WHERE s.strikes>=? AND j.dead_at IS NULL ORDER BY s.seq";
constexpr std::string_view kSuspects =
    "SELECT j.function_id, j.code_key, j.code_sha256 FROM job_starts s JOIN jobs j ON j.seq=s.seq "
    "WHERE s.strikes>0 AND j.dead_at IS NULL";

struct StruckOut {
  std::int64_t seq = 0;
  int receives = 0;
};

Result<std::vector<StruckOut>> read_struck_out(Connection& connection) {
  std::vector<StruckOut> found;
  auto rows = connection.prepare(kStruckOut);
  rows.bind(limits::kMaxReceives);
  while (true) {
    const auto row = rows.step();
    if (!row) return fail(row.error());
    if (!*row) return found;
    found.push_back({.seq = rows.integer(0), .receives = static_cast<int>(rows.integer(1))});
  }
}

// Result, row, counters, dead letter: what its settlement would have put down.
Result<JobResult> give_up(Connection& connection, const StruckOut& struck_out, WallTime now) {
  const auto jobs = read_jobs(connection, {struck_out.seq});
  if (!jobs) return fail(jobs.error());
  const Job& job = *jobs->front();
  JobResult result = platform_error(
      job, {errors::worker_lost, "The job was handed out three times, and the program was lost each time."});
  if (auto kept = keep_result(connection, job.request_id, result, now + limits::kResultTtl); !kept)
    return fail(kept.error());
  if (auto put = put_run(connection, make_log_row(result, job.accepted_at, now)); !put) return fail(put.error());
  const QueuedJob queued{.seq = struck_out.seq, .receives = struck_out.receives};
  if (auto dead = mark_dead(connection, queued, {.at = now, .reason = result.error_message}); !dead)
    return fail(dead.error());
  if (auto dropped = drop_start(connection, struck_out.seq); !dropped) return fail(dropped.error());
  if (auto noted = note_lost_run(connection, version_of(job.function_id, job.code), now); !noted)
    return fail(noted.error());
  return result;
}

Result<std::vector<SuspectVersion>> read_suspects(Connection& connection, WallTime now) {
  std::map<CodeVersion, int> counted;
  auto rows = connection.prepare(kSuspects);
  while (true) {
    const auto row = rows.step();
    if (!row) return fail(row.error());
    if (!*row) break;
    ++counted[version_of({rows.text(0)}, {.key = rows.text(1), .sha256 = rows.text(2)})];
  }
  std::vector<SuspectVersion> suspects;
  for (auto& [version, jobs] : counted) {
    const auto quarantined = is_quarantined(connection, version, now);
    if (!quarantined) return fail(quarantined.error());
    if (!*quarantined) suspects.push_back({version, jobs});
  }
  return suspects;
}

// Gives one to each job that was handed out when the epoch before this one broke off.
Result<void> give_strikes(Connection& connection, EpochStart& start) {
  const auto crashed = connection.query_integer(
      "SELECT ifnull((SELECT epoch FROM epochs WHERE stopped_at IS NULL ORDER BY epoch DESC LIMIT 1), 0)");
  if (!crashed) return fail(crashed.error());
  start.after_crash = *crashed > 0;
  if (!start.after_crash) return {};
  if (auto done = connection.prepare(kStrike).bind(*crashed).run(); !done) return done;
  start.struck = connection.changes();
  return {};
}

Result<std::int64_t> next_epoch(Connection& connection, WallTime now) {
  if (auto begun = connection.prepare(kBegin).bind(to_column(now)).run(); !begun) return fail(begun.error());
  const auto epoch = connection.query_integer("SELECT max(epoch) FROM epochs");
  if (!epoch) return epoch;
  if (auto done = connection.execute("DELETE FROM epochs WHERE epoch<(SELECT max(epoch) FROM epochs)"); !done)
    return fail(done.error());
  return epoch;
}

}  // namespace

Result<void> record_start(Connection& connection, std::int64_t seq, std::int64_t epoch) {
  return connection.prepare(kRecord).bind(seq).bind(epoch).run();
}

Result<void> take_start_back(Connection& connection, std::int64_t seq) {
  return connection.prepare(kTakeBack).bind(seq).run();
}

Result<void> drop_start(Connection& connection, std::int64_t seq) {
  return connection.prepare(kDrop).bind(seq).run();
}

Result<EpochStart> begin_epoch(Connection& connection, WallTime now) {
  EpochStart start;
  if (auto given = give_strikes(connection, start); !given) return fail(given.error());
  const auto epoch = next_epoch(connection, now);
  if (!epoch) return fail(epoch.error());
  start.epoch = *epoch;
  const auto struck_out = read_struck_out(connection);
  if (!struck_out) return fail(struck_out.error());
  for (const auto& job : *struck_out) {
    auto result = give_up(connection, job, now);
    if (!result) return fail(result.error());
    start.given_up.push_back(std::move(*result));
  }
  auto suspects = read_suspects(connection, now);
  if (!suspects) return fail(suspects.error());
  start.suspects = std::move(*suspects);
  return start;
}

Result<void> end_epoch(Connection& connection, std::int64_t epoch, WallTime now) {
  return connection.prepare(kEnd).bind(to_column(now)).bind(epoch).run();
}

}  // namespace infra
