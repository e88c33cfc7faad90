// Where the machine's Python finds what is not of its standard library. Functions find nothing there but what the
// operator gives them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace infra::sandbox {

// On the path of every interpreter of Debian's, isolated ones too, and part of its package: it is there if Python is.
inline constexpr std::string_view kPackageFolder = "/usr/lib/python3/dist-packages";

// All that this machine has.
[[nodiscard]] std::vector<std::string> package_folders();

}  // namespace infra::sandbox
