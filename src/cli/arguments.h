// What was typed behind a command's name, read by the command's row.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/command.h"

namespace infra::cli {

class Arguments {
 public:
  // Options may stand before, between and behind the arguments, as --name VALUE or --name=VALUE, -d VALUE or -dVALUE;
  // behind -- all are arguments. A failure says what is wrong, and leads to the command's help.
  [[nodiscard]] static Outcome<Arguments> read(const Command& command, std::span<const char* const> words);

  [[nodiscard]] const Command& command() const { return *command_; }
  [[nodiscard]] const std::vector<std::string>& words() const { return words_; }
  // Empty if it was not given.
  [[nodiscard]] std::string word(std::size_t index) const { return index < words_.size() ? words_[index] : ""; }
  [[nodiscard]] bool has(std::string_view option) const { return options_.contains(option); }
  // The last one; nullopt if it was not given.
  [[nodiscard]] std::optional<std::string> value(std::string_view option) const;
  [[nodiscard]] std::vector<std::string> values(std::string_view option) const;

 private:
  const Command* command_ = nullptr;
  std::vector<std::string> words_;
  std::map<std::string, std::vector<std::string>, std::less<>> options_;
};

// The one of `names` that was likely meant; empty if none is near.
[[nodiscard]] std::string nearest(std::string_view word, const std::vector<std::string_view>& names);

}  // namespace infra::cli
