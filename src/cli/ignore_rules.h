// What stays out of a bundle: .infraignore, in the form of .gitignore, over what never belongs into one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace infra::cli {

inline constexpr std::string_view kIgnoreFile = ".infraignore";

// A line a pattern; '#' begins a comment, '!' takes back, a '/' at the end means folders alone, one before it the place
// from the root; * and ? are within a name, ** goes over folders, […] is one of these characters. The last that matches
// counts.
class IgnoreRules {
 public:
  explicit IgnoreRules(std::string_view text = {});

  // `path`: from the root, with slashes. Of what is below a folder that is ignored nobody needs to ask.
  [[nodiscard]] bool ignores(std::string_view path, bool is_folder) const;

 private:
  struct Rule {
    std::string pattern;
    bool takes_back = false;
    bool folders_alone = false;
    bool from_root = false;
  };
  void add(std::string_view line);

  std::vector<Rule> rules_;
};

// Whether all of `text` is what a pattern means.
[[nodiscard]] bool matches_glob(std::string_view pattern, std::string_view text);

}  // namespace infra::cli
