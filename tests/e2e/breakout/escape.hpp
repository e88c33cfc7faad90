// What the two halves of the C++ function that tries to break out share: its event, and Python's help.
#pragma once

#include <string>
#include <utility>
#include <vector>

struct Json {
  enum Kind { nothing, boolean, number, string, array, object };
  Kind kind = nothing;
  long integer = 0;
  std::string text;
  std::vector<Json> items;
  std::vector<std::pair<std::string, Json>> members;

  const Json& operator[](const char* name) const;  // `nothing` if it is not there
};

Json parse(const std::string& text);

// The JSON that main.py or bombs.py answers, run as a program; a bomb has the protocol's socket as descriptor 3.
std::string with_python(const std::string& name, const std::string& event, bool is_bomb);

// False if it knows none of that name. Many never come back.
bool bomb(const std::string& name, const Json& event, const std::string& text, std::string& result);
