// The structured log: one JSON object a line on stdout, whose reader may stall without stalling the program.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace infra::log {

enum class Level : std::uint8_t { debug, info, warn, error };

using Value = std::variant<std::string_view, std::int64_t, double, bool>;
struct Field {
  std::string_view name;
  Value value;
  Field(std::string_view n, std::string_view v) : name(n), value(v) {}
  Field(std::string_view n, const char* v) : name(n), value(std::string_view(v)) {}
  Field(std::string_view n, const std::string& v) : name(n), value(std::string_view(v)) {}
  Field(std::string_view n, bool v) : name(n), value(v) {}
  Field(std::string_view n, double v) : name(n), value(v) {}
  template <typename Int>
    requires std::is_integral_v<Int>
  Field(std::string_view n, Int v) : name(n), value(static_cast<std::int64_t>(v)) {}
};
using Fields = std::initializer_list<Field>;

inline constexpr std::size_t kMaxText = 1024;  // bytes of a text: clients and functions choose some of them

// Any thread. Lines below the level are dropped, and so are fields with an empty text; a text is cut at kMaxText. Never
// pass a key, an environment value, an input or an output.
void write(Level level, std::string_view message, Fields fields = {});
inline void info(std::string_view message, Fields fields = {}) {
  write(Level::info, message, fields);
}
// These two the listener hears as well.
void warn(std::string_view message, Fields fields = {});
void error(std::string_view message, Fields fields = {});
// A broken invariant, or what else there is no going on from: ends the program when the line is written.
[[noreturn]] void fatal(std::string_view message, Fields fields = {});

// Hears of every warning and error of the program while it lives, on any thread; must log nothing. Of several the
// newest hears them.
class Listener {
 public:
  using Hear = std::function<void(Level, std::string_view message, Fields)>;
  explicit Listener(Hear hear);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  void hear(Level level, std::string_view message, Fields fields) const { hear_(level, message, fields); }

 private:
  const Hear hear_;
};

// The last lines, oldest first, at most 100: what GET /logs?format=native shows.
[[nodiscard]] std::vector<std::string> recent_lines();

void set_level(Level level);

// While one lives, lines are written by a thread of their own: nobody who logs waits for stdout, and what does not fit
// into its ring is dropped, counted, and told of when lines flow again. Without one, a line is written where it is
// logged. Its end takes a second at most.
class InBackground {
 public:
  InBackground();
  ~InBackground();
  InBackground(const InBackground&) = delete;
  InBackground& operator=(const InBackground&) = delete;
};

// False if what was logged before is not all written within a second.
bool flush();
[[nodiscard]] std::uint64_t dropped_lines();  // since the program's start

}  // namespace infra::log
