// What is refused of calls that are allowed otherwise. libseccomp can say which arguments are allowed, but neither "all
// but these" nor which error the others get.
#pragma once

#include "sandbox/inside/seccomp_filter.h"

namespace infra::sandbox {

// Goes before a program of libseccomp's: ends with the refusal, or goes on at its own end.
[[nodiscard]] SeccompProgram refusals_by_argument();

}  // namespace infra::sandbox
