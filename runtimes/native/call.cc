#include "call.h"

#include <cstdio>
#include <utility>

namespace infra::native {
namespace {

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  // The next character that is no space; 0 at the end.
  char peek() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t'))
      ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool take(char wanted) {
    if (peek() != wanted) return false;
    ++at_;
    return true;
  }

  bool string(std::string& into) {
    into.clear();
    if (!take('"')) return false;
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c == '"') return true;
      if (c != '\\') {
        into += c;
      } else if (!escape(into)) {
        return false;
      }
    }
    return false;
  }

  // Goes past a value and gives its text.
  bool value(std::string_view& into) {
    peek();
    const std::size_t begin = at_;
    int depth = 0;
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '"') {
        if (!skip_string()) return false;
        if (depth == 0) {
          ++at_;
          break;
        }
      } else if (c == '{' || c == '[') {
        ++depth;
      } else if (c == '}' || c == ']') {
        if (depth == 0) break;  // of what the value is in
        if (--depth == 0) {
          ++at_;
          break;
        }
      } else if (c == ',' && depth == 0) {
        break;
      }
    }
    into = text_.substr(begin, at_ - begin);
    return depth == 0 && !into.empty();
  }

 private:
  // From an opening quote to the closing one.
  bool skip_string() {
    for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      if (text_[at_] == '\\') ++at_;
    }
    return at_ < text_.size();
  }

  bool hex(unsigned& into) {
    into = 0;
    for (int i = 0; i < 4; ++i) {
      const char c = at_ < text_.size() ? text_[at_++] : '\0';
      if (c >= '0' && c <= '9') {
        into = into * 16 + static_cast<unsigned>(c - '0');
      } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
        into = into * 16 + static_cast<unsigned>((c | 0x20) - 'a') + 10;
      } else {
        return false;
      }
    }
    return true;
  }

  bool escape(std::string& into) {
    const char c = at_ < text_.size() ? text_[at_++] : '\0';
    constexpr std::string_view kLetters = "nrtbf";
    constexpr std::string_view kMeanings = "\n\r\t\b\f";
    if (const auto known = kLetters.find(c); known != std::string_view::npos) {
      into += kMeanings[known];
      return true;
    }
    if (c != 'u') {
      into += c;
      return c == '"' || c == '\\' || c == '/';
    }
    unsigned code = 0;
    if (!hex(code)) return false;
    if (code >= 0xd800 && code < 0xdc00 && text_.substr(at_, 2) == "\\u") {
      unsigned low = 0;
      at_ += 2;
      if (!hex(low)) return false;
      code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    utf8(code, into);
    return true;
  }

  static void utf8(unsigned code, std::string& into) {
    const auto put = [&](unsigned byte) { into += static_cast<char>(byte); };
    if (code < 0x80) return put(code);
    if (code < 0x800) {
      put(0xc0 | code >> 6);
    } else if (code < 0x10000) {
      put(0xe0 | code >> 12), put(0x80 | (code >> 6 & 0x3f));
    } else {
      put(0xf0 | (code >> 18 & 7)), put(0x80 | (code >> 12 & 0x3f)), put(0x80 | (code >> 6 & 0x3f));
    }
    put(0x80 | (code & 0x3f));
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

bool read_env(std::string_view object, Environment& into) {
  Reader reader(object);
  std::string name;
  std::string value;
  if (!reader.take('{')) return false;
  if (reader.take('}')) return true;
  do {
    if (!reader.string(name) || !reader.take(':') || !reader.string(value)) return false;
    into.push_back(name + "=" + value);
  } while (reader.take(','));
  return reader.take('}');
}

bool read_members(std::string_view frame, Call& into) {
  Reader reader(frame);
  std::string name;
  std::string_view value;
  if (!reader.take('{')) return false;
  do {
    if (!reader.string(name) || !reader.take(':') || !reader.value(value)) return false;
    if (name == "input") into.input = value;
    if (name == "requestId" && !Reader(value).string(into.request_id)) return false;
    if (name == "env" && !read_env(value, into.env)) return false;
  } while (reader.take(','));
  return reader.take('}');
}

}  // namespace

std::optional<Call> read_call(std::string_view frame) {
  Call call;
  if (!read_members(frame, call) || call.input.empty()) return std::nullopt;
  return call;
}

std::optional<Environment> read_start(std::string_view frame) {
  Call start;
  if (!read_members(frame, start)) return std::nullopt;
  return std::move(start.env);
}

std::string quoted(std::string_view text) {
  std::string json = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      json += '\\';
      json += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(c));
      json += escaped;
    } else {
      json += c;
    }
  }
  return json + '"';
}

}  // namespace infra::native
