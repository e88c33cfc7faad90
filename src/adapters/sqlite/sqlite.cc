#include "adapters/sqlite/sqlite.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <cerrno>
#include <utility>

#include "core/error_codes.h"

namespace infra::sqlite {
namespace {

constexpr int kBusyTimeoutMs = 5000;  // only a foreign tool that writes (the sqlite3 shell) makes us wait

// SQLite's code for a write that found no room; the memory that connections share is a file as well, of which it says
// that there was an I/O error. (Of an error in a commit it does not keep the system's reason.)
bool is_full(int code, int system_error) {
  return (code & 0xff) == SQLITE_FULL ||
         (code == SQLITE_IOERR_SHMSIZE && (system_error == ENOSPC || system_error == EDQUOT));
}

Error make_error(int code, int system_error, const char* detail) {
  if (is_full(code, system_error)) {
    return {errors::disk_full, "The disk that holds the data folder is full; free some space on it."};
  }
  return {errors::engine_unavailable, fmt::format("The database can't be used: {}.", detail)};
}

}  // namespace

Statement::Statement(Connection& connection, std::string_view sql) : connection_(&connection), sql_(sql) {
  if (const auto cached = connection.cache_.find(sql); cached != connection.cache_.end()) {
    handle_ = cached->second;
    connection.cache_.erase(cached);
    return;
  }
  note(sqlite3_prepare_v3(connection.handle_, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT,
                          &handle_, nullptr));
}

Statement::Statement(Statement&& other) noexcept
    : connection_(other.connection_),
      sql_(other.sql_),
      handle_(std::exchange(other.handle_, nullptr)),
      next_parameter_(other.next_parameter_),
      error_(std::move(other.error_)) {}

Statement::~Statement() {
  if (handle_ == nullptr) return;
  sqlite3_reset(handle_);
  sqlite3_clear_bindings(handle_);
  if (!connection_->cache_.try_emplace(sql_, handle_).second) sqlite3_finalize(handle_);
}

void Statement::note(int code) {
  if (code != SQLITE_OK && !error_) error_ = connection_->last_error();
}

Statement& Statement::bind(std::string_view text) {
  // SQLite takes a null pointer for NULL; an empty text is not that.
  const char* data = text.empty() ? "" : text.data();
  note(sqlite3_bind_text64(handle_, next_parameter_++, data, text.size(), SQLITE_STATIC, SQLITE_UTF8));
  return *this;
}

Statement& Statement::bind(std::int64_t value) {
  note(sqlite3_bind_int64(handle_, next_parameter_++, value));
  return *this;
}

Statement& Statement::bind(double value) {
  note(sqlite3_bind_double(handle_, next_parameter_++, value));
  return *this;
}

Statement& Statement::bind(std::optional<double> value) {
  if (value) return bind(*value);
  note(sqlite3_bind_null(handle_, next_parameter_++));
  return *this;
}

Result<bool> Statement::step() {
  if (error_) return fail(*error_);
  switch (sqlite3_step(handle_)) {
    case SQLITE_ROW:
      return true;
    case SQLITE_DONE:
      return false;
    default:
      return fail(connection_->last_error());
  }
}

Result<void> Statement::run() {
  while (true) {
    const auto row = step();
    if (!row) return fail(row.error());
    if (!*row) return {};
  }
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(handle_, column) == SQLITE_NULL;
}
std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(handle_, column);
}
double Statement::real(int column) const {
  return sqlite3_column_double(handle_, column);
}

std::string Statement::text(int column) const {
  // The text first, then its length: the other order may convert twice.
  const auto* data = sqlite3_column_text(handle_, column);
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(handle_, column));
  return data == nullptr ? std::string() : std::string(reinterpret_cast<const char*>(data), size);
}

Result<std::unique_ptr<Connection>> Connection::open(const std::filesystem::path& file, Mode mode) {
  std::unique_ptr<Connection> connection(new Connection);
  const int access = mode == Mode::create ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
  if (sqlite3_open_v2(file.c_str(), &connection->handle_, access | SQLITE_OPEN_NOMUTEX, nullptr) != SQLITE_OK) {
    return fail(connection->last_error());
  }
  sqlite3_extended_result_codes(connection->handle_, 1);
  sqlite3_busy_timeout(connection->handle_, kBusyTimeoutMs);
  // Journals of savepoints above all: the program sees no folder for temporary files but its own.
  if (auto set = connection->execute("PRAGMA temp_store = MEMORY"); !set) return fail(set.error());
  // Instead of SQLite's own automatic checkpoint, which would make the commit that triggers it wait.
  sqlite3_wal_hook(
      connection->handle_,
      [](void* self, sqlite3*, const char*, int pages) {
        static_cast<Connection*>(self)->wal_pages_ = pages;
        return SQLITE_OK;
      },
      connection.get());
  return connection;
}

Connection::~Connection() {
  for (const auto& [sql, statement] : cache_) sqlite3_finalize(statement);
  sqlite3_close(handle_);
}

Error Connection::last_error() const {
  if (handle_ == nullptr) return make_error(SQLITE_NOMEM, 0, "out of memory");
  return make_error(sqlite3_extended_errcode(handle_), sqlite3_system_errno(handle_), sqlite3_errmsg(handle_));
}

Result<void> Connection::execute_script(const std::string& sql) {
  if (sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) return fail(last_error());
  return {};
}

Result<std::int64_t> Connection::query_integer(std::string_view sql) {
  auto statement = prepare(sql);
  const auto row = statement.step();
  if (!row) return fail(row.error());
  return *row ? statement.integer(0) : 0;
}

std::int64_t Connection::changes() const {
  return sqlite3_changes64(handle_);
}
bool Connection::in_transaction() const {
  return sqlite3_get_autocommit(handle_) == 0;
}

Result<int> Connection::copy_log() {
  int copied = 0;
  const int code = sqlite3_wal_checkpoint_v2(handle_, nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, &copied);
  if (code != SQLITE_OK && (code & 0xff) != SQLITE_BUSY) return fail(last_error());
  return copied < 0 ? 0 : copied;
}

Result<void> Connection::restart_log() {
  sqlite3_busy_timeout(handle_, 0);
  const int code = sqlite3_wal_checkpoint_v2(handle_, nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
  sqlite3_busy_timeout(handle_, kBusyTimeoutMs);
  if (code == SQLITE_OK) wal_pages_ = 0;
  if (code != SQLITE_OK && (code & 0xff) != SQLITE_BUSY) return fail(last_error());
  return {};
}

}  // namespace infra::sqlite
