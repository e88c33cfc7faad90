#include "adapters/sqlite/sqlite_result_bus.h"

#include <utility>

#include "adapters/memory/waiting_room.h"
#include "adapters/sqlite/row_codec.h"
#include "core/error_codes.h"
#include "core/json_members.h"
#include "core/limits.h"
#include "core/operator_error_codes.h"

namespace infra {
namespace {

using sqlite::Connection;

constexpr std::string_view kInsert =
    "INSERT INTO results(request_id, expires_at, value, result) VALUES(?,?,?,?) ON CONFLICT DO NOTHING";
constexpr std::string_view kFind = "SELECT value, result FROM results WHERE request_id=? AND expires_at>?";
constexpr std::string_view kFindJob = "SELECT 1 FROM jobs WHERE request_id=? AND dead_at IS NULL";
constexpr std::string_view kSweep =
    "DELETE FROM results WHERE request_id IN (SELECT request_id FROM results WHERE expires_at<=? ORDER BY expires_at "
    "LIMIT ?)";

class SeatedWaiter final : public ResultWaiter {
 public:
  SeatedWaiter(std::shared_ptr<WaitingRoom> room, RequestId id, Clock& clock)
      : room_(std::move(room)), id_(std::move(id)), clock_(clock) {
    seat_->signal = clock.make_signal();
    room_->take_seat(id_, seat_);
  }
  ~SeatedWaiter() override { room_->leave_seat(id_, seat_); }
  SeatedWaiter(const SeatedWaiter&) = delete;
  SeatedWaiter& operator=(const SeatedWaiter&) = delete;

  Task<Result<SharedResult>> wait_until(SteadyTime deadline) override {
    auto outcome = room_->outcome(id_, *seat_);
    if (!outcome) {
      co_await seat_->signal->wait_until(deadline);
      outcome = room_->outcome(id_, *seat_);
    }
    if (outcome) co_return std::move(*outcome);
    // The job goes on: a client that asks for it now must not hear that it is unknown.
    room_->mark_pending(id_, clock_.now() + limits::kResultTtl);
    co_return fail(errors::result_timeout, "The function has not finished yet; ask /status for its result.");
  }

 private:
  const std::shared_ptr<WaitingRoom> room_;
  const RequestId id_;
  Clock& clock_;
  const std::shared_ptr<WaitingRoom::Seat> seat_ = std::make_shared<WaitingRoom::Seat>();
};

// A result as its row has it. The returned value stands apart, so that it comes back byte for byte.
struct ResultRow {
  RequestId id;
  WallTime expires_at;
  SharedResult result;  // whose value is a column
  std::string json;
};

ResultRow make_row(const RequestId& id, SharedResult result, WallTime expires_at) {
  std::string json = to_json(*result, "null");
  return {id, expires_at, std::move(result), std::move(json)};
}

Result<void> insert_row(Connection& connection, const ResultRow& row) {
  auto statement = connection.prepare(kInsert);
  return statement.bind(row.id.value).bind(to_column(row.expires_at)).bind(row.result->value).bind(row.json).run();
}

struct Stored {
  std::string json;  // of the result, or empty
  bool queued = false;
};

// A row's text with the value where null stands for it. Empty if there is no such place.
std::string with_value(std::string_view json, std::string_view value) {
  const auto object = RawObject::read(json);
  const auto place = object ? object->text("result") : std::nullopt;
  if (!place) return {};
  const auto begin = static_cast<std::size_t>(place->data() - json.data());
  std::string whole;
  whole.reserve(json.size() + value.size());
  return whole.append(json.substr(0, begin)).append(value).append(json.substr(begin + place->size()));
}

// Both tables in one read transaction: a job's row goes only after its result is there.
Result<Stored> look_up(Connection& connection, const RequestId& id, WallTime now) {
  auto found = connection.prepare(kFind);
  const auto row = found.bind(id.value).bind(to_column(now)).step();
  if (!row) return fail(row.error());
  if (*row) {
    Stored stored{.json = with_value(found.text(1), found.text(0))};
    if (stored.json.empty()) return fail(errors::stored_result_broken, "The stored result can't be read.");
    return stored;
  }
  auto job = connection.prepare(kFindJob);
  const auto queued = job.bind(id.value).step();
  if (!queued) return fail(queued.error());
  return Stored{.json = {}, .queued = *queued};
}

}  // namespace

Result<void> keep_result(Connection& connection, const RequestId& id, const JobResult& result, WallTime expires_at) {
  return insert_row(connection, make_row(id, std::make_shared<const JobResult>(result), expires_at));
}

SqliteResultBus::SqliteResultBus(Database& database) : database_(database), room_(std::make_shared<WaitingRoom>()) {}
SqliteResultBus::~SqliteResultBus() = default;

Task<Result<std::unique_ptr<ResultWaiter>>> SqliteResultBus::expect(const RequestId& id) {
  co_return std::make_unique<SeatedWaiter>(room_, id, database_.clock());
}

Task<Result<void>> SqliteResultBus::mark_pending(const RequestId& id) {
  room_->mark_pending(id, database_.clock().now() + limits::kResultTtl);
  co_return Result<void>{};
}

Task<Result<void>> SqliteResultBus::forget(const RequestId& id) {
  room_->forget(id);
  co_return Result<void>{};
}

Task<Database::Write> SqliteResultBus::tell(const Job& job, SharedResult result) {
  const RequestId id = job.request_id;
  const WallTime expires_at = database_.clock().now() + limits::kResultTtl;
  const auto first = room_->deliver(id, result, expires_at);  // the waiting request before the disk
  // If it waits on this thread: its answer goes out before this goes on.
  if (job.mode == RunMode::sync) co_await database_.executor().yield();
  const auto row = std::make_shared<const ResultRow>(make_row(id, first, expires_at));
  const std::size_t bytes = row->result->value.size() + row->json.size();
  database_.written().add(job.function_id.value, bytes);
  co_return Database::Write{.apply = [row](Connection& connection) { return insert_row(connection, *row); },
                            .settled = [room = room_, id](const Result<void>&) { room->settled(id); },
                            .bytes = bytes};
}

Task<Result<void>> SqliteResultBus::publish(const Job& job, SharedResult result) {
  const bool durable = job.mode == RunMode::async;
  Database::Write write = co_await tell(job, std::move(result));
  if (durable) co_return co_await database_.write<void>(std::move(write.apply), std::move(write.settled));
  co_await database_.write_behind(std::move(write));
  co_return Result<void>{};
}

Task<Result<StoredResult>> SqliteResultBus::find(const RequestId& id) {
  const WallTime now = database_.clock().now();
  // Memory before disk: what leaves memory in between is on the disk by then. The disk's word counts, being the first
  // result.
  const auto glimpse = room_->look(id, now);
  auto stored =
      co_await database_.read<Stored>([id, now](Connection& connection) { return look_up(connection, id, now); });
  if (!stored) co_return fail(stored.error());
  if (!stored->json.empty()) co_return StoredResult{std::move(stored->json)};
  if (glimpse.on_its_way) co_return StoredResult{to_json(*glimpse.on_its_way)};
  if (stored->queued || glimpse.pending) co_return StoredResult{};
  co_return fail(errors::job_not_found, "There is no job with this id, or its result has expired.");
}

void SqliteResultBus::abandon_waiters() {
  room_->abandon();
}

void SqliteResultBus::list_holdings(Holdings& into) const {
  room_->list_holdings(into);
}

Task<Result<void>> SqliteResultBus::sweep(WallTime now) {
  room_->sweep(now);
  co_return co_await database_.sweep(kSweep, now);
}

}  // namespace infra
