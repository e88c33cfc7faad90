#include "telemetry/log.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <deque>

#include "core/job_result.h"
#include "core/json_text.h"
#include "core/mutex.h"
#include "core/text.h"
#include "core/time.h"
#include "telemetry/log_writer.h"

namespace infra::log {
namespace {

constexpr std::size_t kKeptLines = 100;
constexpr std::chrono::milliseconds kPatience{1000};  // with stdout, at the end
constexpr std::array<std::string_view, 4> kLevelNames = {"debug", "info", "warn", "error"};

struct Listening {
  Mutex mutex;
  const Listener* listener INFRA_GUARDED_BY(mutex) = nullptr;
};

Listening& listening() {
  static Listening instance;
  return instance;
}

struct Recent {
  Mutex mutex;
  std::deque<std::string> lines INFRA_GUARDED_BY(mutex);
};

Recent& recent() {
  static Recent instance;
  return instance;
}

std::atomic<Level> least = Level::info;

std::string start_of_line(Level level, std::string_view message);

std::string dropped_note(std::uint64_t lines) {
  return fmt::format(R"({},"lines":{}}})",
                     start_of_line(Level::warn, "log lines were dropped, because stdout took no more"), lines);
}

// For the program's life, and past its end: what runs last may log.
LogWriter& writer() {
  static auto& instance = *new LogWriter(STDOUT_FILENO, dropped_note);  // NOLINT(cppcoreguidelines-owning-memory)
  return instance;
}

std::string value_text(const Value& value) {
  struct Visitor {
    std::string operator()(std::string_view text) const {
      if (text.size() <= kMaxText) return json_quote(replace_invalid_utf8(text));
      return json_quote(replace_invalid_utf8(cut_utf8(text, kMaxText)) + "...");
    }
    std::string operator()(std::int64_t number) const { return std::to_string(number); }
    std::string operator()(double number) const { return json_number(number); }
    std::string operator()(bool flag) const { return flag ? "true" : "false"; }
  };
  return std::visit(Visitor{}, value);
}

std::string start_of_line(Level level, std::string_view message) {
  const auto now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  return fmt::format(R"({{"time":"{}","level":"{}","msg":{})", to_iso8601(now),
                     kLevelNames[static_cast<std::size_t>(level)], value_text(message));
}

void tell_listener(Level level, std::string_view message, Fields fields) {
  const MutexLock lock(listening().mutex);
  if (listening().listener != nullptr) listening().listener->hear(level, message, fields);
}

}  // namespace

void write(Level level, std::string_view message, Fields fields) {
  if (level < least) return;
  std::string line = start_of_line(level, message);
  for (const auto& field : fields) {
    const auto* text = std::get_if<std::string_view>(&field.value);
    if (text == nullptr || !text->empty()) line += fmt::format(R"(,"{}":{})", field.name, value_text(field.value));
  }
  line += '}';
  writer().put(line);

  const MutexLock lock(recent().mutex);
  recent().lines.push_back(std::move(line));
  if (recent().lines.size() > kKeptLines) recent().lines.pop_front();
}

void warn(std::string_view message, Fields fields) {
  write(Level::warn, message, fields);
  tell_listener(Level::warn, message, fields);
}

void error(std::string_view message, Fields fields) {
  write(Level::error, message, fields);
  tell_listener(Level::error, message, fields);
}

void fatal(std::string_view message, Fields fields) {
  write(Level::error, message, fields);
  flush();
  std::abort();
}

Listener::Listener(Hear hear) : hear_(std::move(hear)) {
  const MutexLock lock(listening().mutex);
  listening().listener = this;
}

Listener::~Listener() {
  const MutexLock lock(listening().mutex);
  if (listening().listener == this) listening().listener = nullptr;
}

std::vector<std::string> recent_lines() {
  const MutexLock lock(recent().mutex);
  return {recent().lines.begin(), recent().lines.end()};
}

void set_level(Level level) {
  least = level;
}

InBackground::InBackground() {
  writer().start();
}

InBackground::~InBackground() {
  writer().stop(kPatience);
}

bool flush() {
  return writer().flush(kPatience);
}

std::uint64_t dropped_lines() {
  return writer().dropped();
}

}  // namespace infra::log
