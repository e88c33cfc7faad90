#include "adapters/sqlite/job_row.h"

#include <fmt/format.h>

#include <string>
#include <utility>

#include "core/error_codes.h"

namespace infra {
namespace {

// A job's settings come last.
const std::string& insert_sql() {
  static const std::string kInsert = fmt::format(
      "INSERT INTO jobs(seq, request_id, receives, bytes, function_id, code_key, code_sha256, mode, model_id, "
      "reply_to, "
      "accepted_at, traceparent, input, {}) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,{}) ON CONFLICT DO NOTHING",
      setting_columns(SettingsOf::job), setting_places(SettingsOf::job));
  return kInsert;
}
const std::string& read_sql() {
  static const std::string kRead = fmt::format(
      "SELECT request_id, function_id, code_key, code_sha256, mode, model_id, reply_to, accepted_at, traceparent, "
      "input, "
      "{} FROM jobs WHERE seq=? AND dead_at IS NULL",
      setting_columns(SettingsOf::job));
  return kRead;
}

Result<Job> read_row(const sqlite::Statement& row) {
  Job job;
  job.request_id = {row.text(0)};
  job.function_id = {row.text(1)};
  job.code = {row.text(2), row.text(3)};
  const auto mode = enum_from_column<RunMode>(row.integer(4));
  if (!mode) return fail(mode.error());
  job.mode = *mode;
  job.model_id = row.text(5);
  job.reply_to = row.text(6);
  job.accepted_at = time_from_column(row.integer(7));
  job.traceparent = row.text(8);
  job.input = row.text(9);
  if (auto read = read_settings(row, 10, SettingsOf::job, job); !read) return fail(read.error());
  return job;
}

}  // namespace

Result<void> insert_job(sqlite::Connection& connection, const Job& job, const QueuedJob& queued) {
  const SettingTexts texts(job);
  auto row = connection.prepare(insert_sql());
  row.bind(queued.seq).bind(job.request_id.value).bind(queued.receives).bind(static_cast<std::int64_t>(queued.bytes));
  row.bind(job.function_id.value).bind(job.code.key).bind(job.code.sha256).bind(static_cast<int>(job.mode));
  row.bind(job.model_id).bind(job.reply_to).bind(to_column(job.accepted_at)).bind(job.traceparent).bind(job.input);
  bind_settings(row, SettingsOf::job, job, texts);
  if (auto done = row.run(); !done) return done;
  if (connection.changes() > 0) return {};
  return fail(errors::job_exists, "A job with this request id is queued already.");
}

Result<std::vector<std::shared_ptr<const Job>>> read_jobs(sqlite::Connection& connection,
                                                          const std::vector<std::int64_t>& rows) {
  std::vector<std::shared_ptr<const Job>> jobs;
  for (const std::int64_t seq : rows) {
    auto statement = connection.prepare(read_sql());
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
