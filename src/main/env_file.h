// `.env` as the reference platform reads it (dotenv 16), so that a file that it was run with means the same here. Where
// that reading is a trap, it is said.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace infra {

using Variables = std::map<std::string, std::string, std::less<>>;

struct EnvFile {
  Variables variables;
  // One sentence a bad line, with its number; a secret's text is not repeated.
  std::vector<std::string> problems;
  // Variables whose value, without quotes, ends at a '#' that no space stands before: key#1 is read as key.
  std::set<std::string> shortened;
};

// Lines NAME=value or NAME: value, after an optional `export`; blank lines and those that begin with '#' are skipped. A
// value without quotes ends at the first '#' and is trimmed. In '…', "…" and `…` everything counts, line breaks too; in
// "…" \n and \r stand for theirs, and a backslash before a quote keeps that from ending the value and stays. Of two
// lines with one name the last counts. Unlike dotenv, which skips such lines, a line that is none of these and a quote
// that is not closed are problems.
[[nodiscard]] EnvFile parse_env_file(std::string_view text);

}  // namespace infra
