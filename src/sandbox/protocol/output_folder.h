// What a function left in its folder for output files: found, opened and taken out of the folder by a process that has
// the function's own rights. So no trick in there (links, pipes, folders that change while they are read) gives away
// anything that the function could not have copied; whoever gets the descriptors needs no rights, and reads with
// bounds.
#pragma once

#include <functional>

#include "sandbox/protocol/output_files.h"

namespace infra::sandbox {

// Whether anything is in `folder`, a descriptor that may be read. One or two calls of the kernel for an empty folder,
// and no rights on it are needed.
[[nodiscard]] bool has_entries(int folder);

// Hands over what is in `folder` in the order of names, within the bounds of core/limits.h, and removes it. False if
// something is left there.
[[nodiscard]] bool take_entries(int folder, const std::function<void(OutputEntry)>& take);

}  // namespace infra::sandbox
