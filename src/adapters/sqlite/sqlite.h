// A thin owner of SQLite's C handles, so that no other file names sqlite3_*. Errors come out as our own: disk_full
// where the disk is the reason, engine_unavailable otherwise.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/error.h"

struct sqlite3;
struct sqlite3_stmt;

namespace infra::sqlite {

class Connection;

// One use of a prepared statement: bind in order, step, read columns. Goes back to its connection's cache at the end. A
// failed prepare or bind is kept and comes out of step().
class Statement {
 public:
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&&) = delete;
  ~Statement();

  // Texts are not copied: they must live until the last step().
  Statement& bind(std::string_view text);
  Statement& bind(const std::string& text) { return bind(std::string_view(text)); }
  Statement& bind(const char* text) { return bind(std::string_view(text)); }
  Statement& bind(std::int64_t value);
  Statement& bind(int value) { return bind(static_cast<std::int64_t>(value)); }
  Statement& bind(double value);
  Statement& bind(std::optional<double> value);

  [[nodiscard]] Result<bool> step();  // true: there is a row
  [[nodiscard]] Result<void> run();   // to the end; rows are dropped

  [[nodiscard]] bool is_null(int column) const;
  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] double real(int column) const;
  [[nodiscard]] std::string text(int column) const;

 private:
  friend class Connection;
  Statement(Connection& connection, std::string_view sql);
  void note(int code);

  Connection* connection_;
  std::string_view sql_;
  sqlite3_stmt* handle_ = nullptr;
  int next_parameter_ = 1;
  std::optional<Error> error_;
};

// One thread at a time.
class Connection {
 public:
  enum class Mode : std::uint8_t { create, read_only };
  [[nodiscard]] static Result<std::unique_ptr<Connection>> open(const std::filesystem::path& file, Mode mode);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // `sql` must outlive the connection (a literal): it is the cache's key.
  [[nodiscard]] Statement prepare(std::string_view sql) { return Statement(*this, sql); }
  [[nodiscard]] Result<void> execute(std::string_view sql) { return prepare(sql).run(); }
  [[nodiscard]] Result<void> execute_script(const std::string& sql);  // many statements, not cached
  [[nodiscard]] Result<std::int64_t> query_integer(std::string_view sql);

  [[nodiscard]] std::int64_t changes() const;  // rows that the last statement changed
  [[nodiscard]] bool in_transaction() const;
  [[nodiscard]] int wal_pages() const {
    return wal_pages_;
  }  // in the write-ahead log after this connection's last commit
  // Copies of the write-ahead log into the file what no reader or writer is in the way of; says how many of its pages
  // are copied by now.
  [[nodiscard]] Result<int> copy_log();
  // Copies the rest, and empties the log, if nobody reads it or copies it now; else does without. Waits for nobody.
  [[nodiscard]] Result<void> restart_log();

 private:
  friend class Statement;
  Connection() = default;
  [[nodiscard]] Error last_error() const;

  sqlite3* handle_ = nullptr;
  int wal_pages_ = 0;
  std::unordered_map<std::string_view, sqlite3_stmt*> cache_;  // those not in use
};

}  // namespace infra::sqlite
