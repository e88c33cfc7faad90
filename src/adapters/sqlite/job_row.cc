#include "adapters/sqlite/job_row.h"

#include <utility>

#include "core/error_codes.h"

namespace infra {
namespace {

constexpr std::string_view kInsert =
    "INSERT INTO jobs(seq, request_id, receives, bytes, function_id, runtime, memory_mb, timeout_ms, code_key, "
    "code_sha256, mode, model_id, reply_to, accepted_at, traceparent, env, input, network, keep_warm, max_concurrency) "
    "VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING";
constexpr std::string_view kRead =
    "SELECT request_id, function_id, runtime, memory_mb, timeout_ms, code_key, code_sha256, mode, model_id, reply_to, "
    "accepted_at, traceparent, env, input, network, keep_warm, max_concurrency FROM jobs WHERE seq=? AND dead_at IS "
    "NULL";

Result<Job> read_row(const sqlite::Statement& row) {
  auto env = environment_from_column(row.text(12));
  if (!env) return fail(env.error());
  Job job;
  job.request_id = {row.text(0)};
  job.function_id = {row.text(1)};
  job.runtime = static_cast<Runtime>(row.integer(2));
  job.memory_mb = static_cast<int>(row.integer(3));
  job.timeout = milliseconds{row.integer(4)};
  job.code = {row.text(5), row.text(6)};
  job.mode = static_cast<RunMode>(row.integer(7));
  job.model_id = row.text(8);
  job.reply_to = row.text(9);
  job.accepted_at = time_from_column(row.integer(10));
  job.traceparent = row.text(11);
  job.env = std::move(*env);
  job.input = row.text(13);
  job.network = static_cast<Network>(row.integer(14));
  job.keep_warm = static_cast<int>(row.integer(15));
  job.max_concurrency = static_cast<int>(row.integer(16));
  return job;
}

}  // namespace

Result<void> insert_job(sqlite::Connection& connection, const Job& job, const QueuedJob& queued) {
  const std::string env = to_json(job.env);
  auto row = connection.prepare(kInsert);
  row.bind(queued.seq).bind(job.request_id.value).bind(queued.receives).bind(static_cast<std::int64_t>(queued.bytes));
  row.bind(job.function_id.value).bind(static_cast<int>(job.runtime)).bind(job.memory_mb).bind(job.timeout.count());
  row.bind(job.code.key).bind(job.code.sha256).bind(static_cast<int>(job.mode)).bind(job.model_id).bind(job.reply_to);
  row.bind(to_column(job.accepted_at)).bind(job.traceparent).bind(env).bind(job.input);
  row.bind(static_cast<int>(job.network)).bind(job.keep_warm).bind(job.max_concurrency);
  if (auto done = row.run(); !done) return done;
  if (connection.changes() > 0) return {};
  return fail(errors::job_exists, "A job with this request id is queued already.");
}

Result<std::vector<std::shared_ptr<const Job>>> read_jobs(sqlite::Connection& connection,
                                                          const std::vector<std::int64_t>& rows) {
  std::vector<std::shared_ptr<const Job>> jobs;
  for (const std::int64_t seq : rows) {
    auto statement = connection.prepare(kRead);
    const auto found = statement.bind(seq).step();
    if (!found) return fail(found.error());
    if (!*found) {
      jobs.push_back(nullptr);
      continue;
    }
    auto job = read_row(statement);
    if (!job) return fail(job.error());
    jobs.push_back(std::make_shared<const Job>(std::move(*job)));
  }
  return jobs;
}

Result<void> mark_dead(sqlite::Connection& connection, const QueuedJob& queued, const DeadLetter& letter) {
  auto update = connection.prepare("UPDATE jobs SET dead_at=?, reason=?, receives=? WHERE seq=?");
  return update.bind(to_column(letter.at)).bind(letter.reason).bind(queued.receives + 1).bind(queued.seq).run();
}

}  // namespace infra
