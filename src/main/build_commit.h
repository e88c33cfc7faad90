// Which commit the program was built from. The definition is generated (build_commit.cmake) and belongs to the program
// alone, so that a new commit compiles one file and links one program.
#pragma once

#include <string_view>

namespace infra {

// Such as "abc1234", with "-dirty" behind it if files that git knows had been changed; "unknown" outside a git tree.
[[nodiscard]] std::string_view build_commit();

}  // namespace infra
