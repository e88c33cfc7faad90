#include "telemetry/log.h"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <array>
#include <chrono>
#include <deque>

#include "core/job_result.h"
#include "core/json_text.h"
#include "core/mutex.h"
#include "core/text.h"
#include "core/time.h"

namespace infra::log {
namespace {

constexpr std::size_t kKeptLines = 100;
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

spdlog::logger& sink() {
  static const auto logger = [] {
    auto made = spdlog::stdout_logger_mt("infra");
    made->set_pattern("%v");
    made->set_level(spdlog::level::info);
    made->flush_on(spdlog::level::info);  // a container's log collector, and a test, read lines as they come
    return made;
  }();
  return *logger;
}

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::debug:
      return spdlog::level::debug;
    case Level::info:
      return spdlog::level::info;
    case Level::warn:
      return spdlog::level::warn;
    case Level::error:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

std::string value_text(const Value& value) {
  struct Visitor {
    std::string operator()(std::string_view text) const { return json_quote(replace_invalid_utf8(text)); }
    std::string operator()(std::int64_t number) const { return std::to_string(number); }
    std::string operator()(double number) const { return json_number(number); }
    std::string operator()(bool flag) const { return flag ? "true" : "false"; }
  };
  return std::visit(Visitor{}, value);
}

void tell_listener(Level level, std::string_view message, Fields fields) {
  const MutexLock lock(listening().mutex);
  if (listening().listener != nullptr) listening().listener->hear(level, message, fields);
}

}  // namespace

void write(Level level, std::string_view message, Fields fields) {
  if (!sink().should_log(to_spdlog(level))) return;
  const auto now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  std::string line = fmt::format(R"({{"time":"{}","level":"{}","msg":{})", to_iso8601(now),
                                 kLevelNames[static_cast<std::size_t>(level)], value_text(message));
  for (const auto& field : fields) {
    const auto* text = std::get_if<std::string_view>(&field.value);
    if (text == nullptr || !text->empty()) line += fmt::format(R"(,"{}":{})", field.name, value_text(field.value));
  }
  line += '}';
  sink().log(to_spdlog(level), line);

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
  sink().set_level(to_spdlog(level));
}
void flush() {
  sink().flush();
}

}  // namespace infra::log
