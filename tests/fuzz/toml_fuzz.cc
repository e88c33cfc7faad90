// What infra.toml says, each text of it quoted by us, says the same again, and each entry is of a line that is there.
#include <algorithm>
#include <string>

#include "cli/toml_text.h"
#include "fuzz/target.h"

namespace infra::fuzz {
namespace {

void read_settings(std::string_view text) {
  const auto entries = cli::read_toml(text);
  if (!entries) {
    require(entries.error().starts_with("line "), "a problem says where it is");
    return;
  }
  const auto lines = static_cast<std::uint32_t>(std::ranges::count(text, '\n') + 1);
  std::uint32_t last = 0;
  for (const auto& entry : *entries) {
    require(entry.line >= last && entry.line >= 1 && entry.line <= lines, "entries come in order, each of its line");
    last = entry.line;
    if (!entry.is_text) continue;
    const auto again = cli::read_toml(cli::toml_quote(entry.key) + " = " + cli::toml_quote(entry.value) + "\n");
    require(again && again->size() == 1 && again->front().key == entry.key && again->front().value == entry.value,
            "a text that is quoted is read as it was");
  }
}

}  // namespace

INFRA_FUZZ_TARGET(toml, read_settings);

}  // namespace infra::fuzz
