#include "main/unknown_variables.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>

#include "main/config_variables.h"

namespace infra {
namespace {

// The command line's, which is the same program (cli/connection.h).
constexpr std::array<std::string_view, 3> kOfTheCommandLine = {"INFRA_URL", "INFRA_PROFILE", "INFRA_CA_FILE"};

// How many letters have to be put in, left out, changed or exchanged with their neighbour to make one the other.
std::size_t distance(std::string_view one, std::string_view other) {
  std::vector<std::size_t> before;
  std::vector<std::size_t> above;
  std::vector<std::size_t> row(other.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 1; i <= one.size(); ++i) {
    before = std::move(above);
    above = row;
    row[0] = i;
    for (std::size_t j = 1; j <= other.size(); ++j) {
      const bool same = one[i - 1] == other[j - 1];
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (same ? 0 : 1)});
      if (i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1])
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
  }
  return row.back();
}

}  // namespace

std::vector<std::string> unknown_variables(const Variables& variables) {
  constexpr std::string_view kOurs = "INFRA_";
  constexpr std::size_t kLongestName = 64;  // a longer one is not compared
  std::vector<std::string> sentences;
  for (auto at = variables.lower_bound(kOurs); at != variables.end() && at->first.starts_with(kOurs); ++at) {
    const std::string_view name = at->first;
    if (std::ranges::find(kConfigVariables, name, &ConfigVariable::name) != kConfigVariables.end()) continue;
    if (std::ranges::find(kOfTheCommandLine, name) != kOfTheCommandLine.end()) continue;
    const auto far = [&](const ConfigVariable& known) {  // some have the prefix, some have none
      return std::min(distance(name, known.name), distance(name.substr(kOurs.size()), known.name));
    };
    std::string hint = "README.md has them all";
    if (name.size() <= kLongestName) {
      const auto* const nearest = std::ranges::min_element(kConfigVariables, {}, far);
      if (far(*nearest) <= (name.size() - kOurs.size()) / 3) hint = fmt::format("did you mean {}?", nearest->name);
    }
    sentences.push_back(
        fmt::format("there is no variable {}, so that it changes nothing; {}", name.substr(0, kLongestName), hint));
  }
  return sentences;
}

}  // namespace infra
