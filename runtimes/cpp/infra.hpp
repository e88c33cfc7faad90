// A C++ function that stays warm: one process, call after call. Include this in one file of the function:
//
//   #include <infra.hpp>
//   std::string handler(const std::string& event, const infra::Context& context) {
//     return "{\"hello\":" + event + "}";  // JSON in, JSON out; bring the JSON library you like
//   }
//   INFRA_HANDLER(handler)
//
// An exception that leaves the handler fails its call (code handler_error), and the process goes on. Started outside
// Infra the program takes the event from its standard input and prints the result, so that it can be tried by hand.
//
// It needs C++17 and a POSIX system, and nothing else. What is spoken is docs/runner-protocol.md.
#pragma once

#include <fcntl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <iostream>
#include <iterator>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace infra {

struct Context {
  std::string request_id;
  std::string function_id;
  std::string model_id;
  int memory_mb = 0;
  std::int64_t deadline_ms = 0;  // since 1970
  std::string trace_id;          // empty: the call belongs to no trace
  std::string traceparent;       // as W3C Trace Context has it

  // Until the call is stopped; never negative.
  std::int64_t remaining_time_ms() const {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const auto left = deadline_ms - std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
    return left > 0 ? left : 0;
  }
};

namespace detail {

constexpr int kControl = 3;
constexpr std::size_t kMaxFrame = 32u * 1024 * 1024;
constexpr std::size_t kMaxResult = 6u * 1024 * 1024;
constexpr std::size_t kMaxMessage = 8u * 1024;
constexpr int kMaxDepth = 499;

// How the platform knows that this program speaks the protocol itself.
__attribute__((used)) inline const volatile char kMarker[] = "infra-warm-handler/1:5f0c8e9b7d3a4261";

// Reads JSON without keeping it. What it accepts is JSON; strings are given in UTF-8.
class Reader {
 public:
  Reader(const char* begin, const char* end) : at_(begin), end_(end) {}
  explicit Reader(const std::string& text) : Reader(text.data(), text.data() + text.size()) {}

  const char* at() const { return at_; }
  bool at_end() {
    space();
    return at_ == end_;
  }
  bool take(char wanted) {
    space();
    if (at_ == end_ || *at_ != wanted) return false;
    ++at_;
    return true;
  }

  bool string(std::string* into) {
    if (!take('"')) return false;
    while (at_ != end_) {
      const unsigned char c = static_cast<unsigned char>(*at_);
      if (c == '"') return ++at_, true;
      if (c < 0x20 || (c == '\\' ? !escape(into) : !character(into))) return false;
    }
    return false;
  }

  bool value(int depth = 0) {
    space();
    if (at_ == end_ || depth > kMaxDepth) return false;
    switch (*at_) {
      case '{':
        return list('}', depth, true);
      case '[':
        return list(']', depth, false);
      case '"':
        return string(nullptr);
      case 't':
        return word("true");
      case 'f':
        return word("false");
      case 'n':
        return word("null");
      default:
        return number();
    }
  }

 private:
  void space() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\t' || *at_ == '\n' || *at_ == '\r')) ++at_;
  }
  bool list(char closing, int depth, bool named) {
    ++at_;
    if (take(closing)) return true;
    do {
      if (named && (!string(nullptr) || !take(':'))) return false;
      if (!value(depth + 1)) return false;
    } while (take(','));
    return take(closing);
  }
  bool word(const char* wanted) {
    for (; *wanted != '\0'; ++wanted, ++at_) {
      if (at_ == end_ || *at_ != *wanted) return false;
    }
    return true;
  }
  bool digits() {
    const char* begin = at_;
    while (at_ != end_ && *at_ >= '0' && *at_ <= '9') ++at_;
    return at_ != begin;
  }
  bool number() {
    if (*at_ == '-') ++at_;
    const bool zero = at_ != end_ && *at_ == '0';
    const char* begin = at_;
    if (!digits() || (zero && at_ - begin > 1)) return false;
    if (at_ != end_ && *at_ == '.') {
      ++at_;
      if (!digits()) return false;
    }
    if (at_ != end_ && (*at_ == 'e' || *at_ == 'E')) {
      ++at_;
      if (at_ != end_ && (*at_ == '+' || *at_ == '-')) ++at_;
      return digits();
    }
    return true;
  }

  // One character of well-formed UTF-8.
  bool character(std::string* into) {
    const unsigned char c = static_cast<unsigned char>(*at_);
    const int more = c < 0x80                ? 0
                     : c >= 0xc2 && c < 0xe0 ? 1
                     : c >= 0xe0 && c < 0xf0 ? 2
                     : c >= 0xf0 && c < 0xf5 ? 3
                                             : -1;
    if (more < 0 || end_ - at_ <= more) return false;
    unsigned code = more == 0 ? c : c & (0x3fu >> more);
    for (int i = 1; i <= more; ++i) {
      const unsigned char next = static_cast<unsigned char>(at_[i]);
      if ((next & 0xc0) != 0x80) return false;
      code = code << 6 | (next & 0x3fu);
    }
    if ((more == 2 && (code < 0x800 || (code >= 0xd800 && code < 0xe000))) ||
        (more == 3 && (code < 0x10000 || code > 0x10ffff)))
      return false;
    if (into != nullptr) into->append(at_, static_cast<std::size_t>(more) + 1);
    at_ += more + 1;
    return true;
  }
  bool hex(unsigned& into) {
    into = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      if (at_ == end_) return false;
      const char c = *at_;
      const int digit = c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
      if (digit < 0) return false;
      into = into * 16 + static_cast<unsigned>(digit);
    }
    return true;
  }
  bool escape(std::string* into) {
    if (++at_ == end_) return false;
    static const char kLetters[] = "\"\\/bfnrt";
    static const char kMeanings[] = "\"\\/\b\f\n\r\t";
    const char c = *at_++;
    if (c != 'u') {
      const char* known = c == '\0' ? nullptr : std::strchr(kLetters, c);
      if (known == nullptr) return false;
      if (into != nullptr) *into += kMeanings[known - kLetters];
      return true;
    }
    unsigned code = 0;
    if (!hex(code)) return false;
    if (code >= 0xd800 && code < 0xe000 && !pair(code)) code = 0xfffd;  // valid JSON, and no character
    if (into != nullptr) append(code, *into);
    return true;
  }
  // Makes one character of a high surrogate and the low one that follows it.
  bool pair(unsigned& code) {
    if (code >= 0xdc00 || end_ - at_ < 6 || at_[0] != '\\' || at_[1] != 'u') return false;
    const char* const behind = at_;
    unsigned low = 0;
    at_ += 2;
    if (hex(low) && low >= 0xdc00 && low < 0xe000) {
      code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
      return true;
    }
    at_ = behind;
    return false;
  }
  static void append(unsigned code, std::string& into) {
    const auto put = [&](unsigned byte) { into += static_cast<char>(byte); };
    if (code < 0x80) return put(code);
    if (code >= 0x10000)
      put(0xf0 | code >> 18), put(0x80 | (code >> 12 & 0x3f));
    else if (code >= 0x800)
      put(0xe0 | code >> 12);
    put(code < 0x800 ? 0xc0 | code >> 6 : 0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  }

  const char* at_;
  const char* end_;
};

inline bool is_json(const std::string& text) {
  Reader reader(text);
  return reader.value() && reader.at_end();
}

// With quotes. Bytes that are not UTF-8 become question marks.
inline std::string quoted(const std::string& text) {
  std::string json = "\"";
  for (std::size_t i = 0; i < text.size();) {
    const unsigned char c = static_cast<unsigned char>(text[i]);
    if (c == '"' || c == '\\') {
      json += '\\';
      json += static_cast<char>(c);
    } else if (c < 0x20) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(c));
      json += escaped;
    } else if (c < 0x80) {
      json += static_cast<char>(c);
    } else {
      std::size_t length = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
      length = length < text.size() - i ? length : text.size() - i;
      const std::string character = text.substr(i, length);
      if (is_json("\"" + character + "\"")) {
        json += character;
        i += length;
        continue;
      }
      json += '?';
    }
    ++i;
  }
  return json + '"';
}

using Environment = std::map<std::string, std::string>;

struct Call {
  Context context;
  Environment env;
  std::string event;
};

inline bool read_environment(const std::string& object, Environment& into) {
  Reader reader(object);
  if (!reader.take('{')) return false;
  if (reader.take('}')) return true;
  do {
    std::string name, value;
    if (!reader.string(&name) || !reader.take(':') || !reader.string(&value)) return false;
    into[name] = value;
  } while (reader.take(','));
  return reader.take('}');
}

inline bool read_call(const std::string& frame, Call& call) {
  std::map<std::string, std::string> members;
  Reader reader(frame);
  if (!reader.take('{')) return false;
  do {
    std::string name;
    if (!reader.string(&name) || !reader.take(':')) return false;
    const char* begin = reader.at();
    if (!reader.value()) return false;
    members[name] = std::string(begin, reader.at());
  } while (reader.take(','));
  const auto text = [&](const char* name) {
    std::string value;
    Reader(members[name]).string(&value);
    return value;
  };
  call.context.request_id = text("requestId");
  call.context.function_id = text("functionId");
  call.context.model_id = text("modelId");
  call.context.memory_mb = std::atoi(members["memoryMb"].c_str());
  call.context.deadline_ms = std::atoll(members["deadlineMs"].c_str());
  call.context.traceparent = text("traceparent");
  if (call.context.traceparent.size() >= 35) call.context.trace_id = call.context.traceparent.substr(3, 32);
  call.event = members["input"];
  return read_environment(members["env"], call.env);
}

inline bool read_exactly(char* into, std::size_t size) {
  while (size > 0) {
    const ssize_t count = ::read(kControl, into, size);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    into += count;
    size -= static_cast<std::size_t>(count);
  }
  return true;
}

inline bool read_frame(std::string& body) {
  unsigned char head[4];
  if (!read_exactly(reinterpret_cast<char*>(head), sizeof head)) return false;
  const std::size_t size =
      head[0] | std::size_t{head[1]} << 8 | std::size_t{head[2]} << 16 | std::size_t{head[3]} << 24;
  if (size > kMaxFrame) return false;
  body.resize(size);
  return read_exactly(&body[0], size);
}

inline bool write_frame(const std::string& body) {
  std::string frame;
  for (int shift = 0; shift < 32; shift += 8) frame += static_cast<char>(body.size() >> shift & 0xff);
  frame += body;
  for (std::size_t done = 0; done < frame.size();) {
    const ssize_t count = ::write(kControl, frame.data() + done, frame.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    done += static_cast<std::size_t>(count);
  }
  return true;
}

// The variables that were there at the start come back, what the last call added goes.
class Variables {
 public:
  Variables() {
    for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
      const std::string text = *variable;
      base_[text.substr(0, text.find('='))] = text.substr(text.find('=') + 1);
    }
  }
  void set(const Environment& env) {
    std::vector<std::string> next;
    for (const Environment* each : {static_cast<const Environment*>(&base_), &env}) {
      for (const auto& variable : *each) next.push_back(variable.first + "=" + variable.second);
    }
    const std::string zone = time_zone();
    ::clearenv();
    for (auto& variable : next) ::putenv(&variable[0]);
    placed_ = std::move(next);
    if (time_zone() != zone) ::tzset();  // localtime_r() does not look again
  }

 private:
  static std::string time_zone() {
    const char* zone = std::getenv("TZ");
    return zone != nullptr ? zone : "";
  }

  Environment base_;
  std::vector<std::string> placed_;  // what the environment points to; setenv() would keep every value that ever was
};

inline std::string failure(const std::string& code, const std::string& message, double ms) {
  char timing[64];
  std::snprintf(timing, sizeof timing, ",\"handlerMs\":%.3f,\"reusable\":true}", ms);
  return "{\"ok\":false,\"code\":\"" + code + "\",\"message\":" + quoted(message.substr(0, kMaxMessage)) + timing;
}

template <typename Handler>
std::string answer_to(Handler& handler, const Call& call) {
  using Clock = std::chrono::steady_clock;
  const auto started = Clock::now();
  const auto ms = [&] { return std::chrono::duration<double, std::milli>(Clock::now() - started).count(); };
  const auto threw = [&](const std::string& what) {
    std::fprintf(stderr, "%s\n", what.c_str());
    return failure("handler_error", what, ms());
  };
  std::string value;
  try {
    value = handler(call.event, call.context);
  } catch (const std::exception& error) {
    return threw(std::string("The handler threw: ") + error.what());
  } catch (...) {
    return threw("The handler threw something that is no std::exception.");
  }
  const double time = ms();
  if (value.empty()) value = "null";
  if (value.size() > kMaxResult)
    return failure(
        "result_too_large",
        "The handler's result is " + std::to_string(value.size()) + " bytes; at most 6291456 (6 MiB) are allowed.",
        time);
  if (!is_json(value)) return failure("result_not_json", "The handler returned text that is not JSON.", time);
  char timing[64];
  std::snprintf(timing, sizeof timing, "{\"ok\":true,\"handlerMs\":%.3f,\"value\":", time);
  return timing + value + "}";
}

inline void flush_output() {
  std::cout.flush();
  std::cerr.flush();
  std::fflush(nullptr);
}

inline bool is_hosted() {
  int type = 0;
  socklen_t size = sizeof type;
  return ::getsockopt(kControl, SOL_SOCKET, SO_TYPE, &type, &size) == 0;
}

template <typename Handler>
int try_by_hand(Handler& handler) {
  Call call;
  call.event.assign(std::istreambuf_iterator<char>(std::cin), {});
  if (call.event.find_first_not_of(" \t\r\n") == std::string::npos) call.event = "{}";
  if (!is_json(call.event)) {
    std::fprintf(stderr, "The event on the standard input is not JSON.\n");
    return 2;
  }
  call.context.deadline_ms = INT64_MAX;
  const std::string answer = answer_to(handler, call);
  flush_output();
  std::printf("%s\n", answer.c_str());
  return answer.compare(0, 10, "{\"ok\":true") == 0 ? 0 : 1;
}

template <typename Handler>
int serve(Handler& handler) {
  if (kMarker[0] != 'i') return 1;  // a linker that drops what nobody reads must keep it
  if (!is_hosted()) return try_by_hand(handler);
  ::fcntl(kControl, F_SETFD, FD_CLOEXEC);
  Variables variables;
  for (std::string frame; read_frame(frame);) {
    Call call;
    if (!read_call(frame, call)) return 1;
    variables.set(call.env);
    const std::string answer = answer_to(handler, call);
    flush_output();
    if (!write_frame("{\"requestId\":" + quoted(call.context.request_id) + "," + answer.substr(1))) return 1;
  }
  return 0;
}

}  // namespace detail
}  // namespace infra

#define INFRA_HANDLER(handler)              \
  int main() {                              \
    return ::infra::detail::serve(handler); \
  }
