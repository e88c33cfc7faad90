#include "cli/arguments.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "cli/command_table.h"

namespace infra::cli {
namespace {

std::unexpected<Failure> wrong(const Command& command, std::string message) {
  return wrong_usage(std::move(message), fmt::format("infra {} --help", command.name));
}

std::unexpected<Failure> unknown(const Command& command, std::string_view name, const std::vector<Option>& options) {
  std::vector<std::string_view> names;
  for (const auto& option : options) names.push_back(option.name);
  const std::string meant = nearest(name, names);
  return wrong(command, fmt::format("infra {} has no option {}{}.", command.name, name,
                                    meant.empty() ? "" : fmt::format("; {} is one", meant)));
}

std::size_t distance(std::string_view from, std::string_view to) {
  std::vector<std::size_t> row(to.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < from.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < to.size(); ++j) {
      const std::size_t replaced = diagonal + (from[i] == to[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, diagonal + 1, row[j] + 1});
    }
  }
  return row.back();
}

}  // namespace

std::string nearest(std::string_view word, const std::vector<std::string_view>& names) {
  const auto found = std::ranges::min_element(names, {}, [&](std::string_view name) { return distance(word, name); });
  return found != names.end() && distance(word, *found) <= 2 ? std::string(*found) : std::string();
}

Outcome<Arguments> Arguments::read(const Command& command, std::span<const char* const> words) {
  Arguments read;
  read.command_ = &command;
  const std::vector<Option> options = options_of(command);
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string_view word = words[i];
    if (word == "--") {
      read.words_.insert(read.words_.end(), words.begin() + static_cast<std::ptrdiff_t>(i) + 1, words.end());
      break;
    }
    if (word.size() < 2 || word[0] != '-') {
      read.words_.emplace_back(word);
      continue;
    }
    const bool is_long = word.starts_with("--");
    const auto end = is_long ? word.find('=') : std::size_t{2};
    const std::string_view name = word.substr(0, end);
    const auto option = std::ranges::find(options, name, is_long ? &Option::name : &Option::letter);
    if (option == options.end()) return unknown(command, name, options);
    std::optional<std::string> value;
    if (end < word.size()) value = word.substr(is_long ? end + 1 : end);
    if (option->value.empty() && value) return wrong(command, fmt::format("{} takes no value.", option->name));
    if (!option->value.empty() && !value) {
      if (++i == words.size()) return wrong(command, fmt::format("{} needs a value: {}.", name, option->value));
      value = words[i];
    }
    auto& values = read.options_[std::string(option->name)];
    if (!values.empty() && !option->value.empty() && !option->many)
      return wrong(command, fmt::format("{} is given twice.", option->name));
    values.push_back(value.value_or(""));
  }
  if (read.has("--help")) return read;
  const auto count = static_cast<int>(read.words_.size());
  if (count < command.least) return wrong(command, fmt::format("infra {} needs {}.", command.name, command.arguments));
  if (count > command.most) {
    const auto& extra = read.words_[static_cast<std::size_t>(command.most)];
    return wrong(command, fmt::format("infra {} takes no argument \"{}\".", command.name, extra));
  }
  return read;
}

std::optional<std::string> Arguments::value(std::string_view option) const {
  const auto found = options_.find(option);
  return found == options_.end() ? std::nullopt : std::optional(found->second.back());
}

std::vector<std::string> Arguments::values(std::string_view option) const {
  const auto found = options_.find(option);
  return found == options_.end() ? std::vector<std::string>() : found->second;
}

}  // namespace infra::cli
