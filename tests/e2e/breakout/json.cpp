// Reads the event of the C++ function that tries to break out: JSON that a test wrote, so nothing in it is checked.
#include <cstdlib>

#include "escape.hpp"

namespace {

struct Reader {
  const char* at;

  char next() {
    while (*at == ' ' || *at == ',' || *at == ':') ++at;
    return *at;
  }

  std::string string() {
    std::string text;
    for (++at; *at != '"'; ++at) {
      if (*at != '\\') {
        text += *at;
      } else if (*++at == 'u') {
        const long code = std::strtol(std::string(at + 1, 4).c_str(), nullptr, 16);
        at += 4;
        text += code < 0x80 ? static_cast<char>(code) : '?';
      } else {
        text += *at == 'n' ? '\n' : *at == 't' ? '\t' : *at;
      }
    }
    ++at;
    return text;
  }

  Json value() {
    Json json;
    switch (next()) {
      case '{':
        json.kind = Json::object;
        for (++at; next() != '}';) {
          std::string name = string();
          json.members.emplace_back(std::move(name), value());
        }
        ++at;
        break;
      case '[':
        json.kind = Json::array;
        for (++at; next() != ']';) json.items.push_back(value());
        ++at;
        break;
      case '"':
        json.kind = Json::string;
        json.text = string();
        break;
      case 't':
        json.integer = 1;
        [[fallthrough]];
      case 'f':
      case 'n':
        json.kind = Json::boolean;
        while (*at >= 'a' && *at <= 'z') ++at;
        break;
      default: {
        char* end = nullptr;
        json.kind = Json::number;
        json.integer = std::strtol(at, &end, 10);
        at = end;
      }
    }
    return json;
  }
};

}  // namespace

const Json& Json::operator[](const char* name) const {
  static const Json kNothing;
  for (const auto& member : members)
    if (member.first == name) return member.second;
  return kNothing;
}

Json parse(const std::string& text) {
  return Reader{text.c_str()}.value();
}
