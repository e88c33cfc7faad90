// Makes user namespaces that map a single id: one for the processes of a slot, one for the mount of its code.
#pragma once

#include <sys/types.h>

#include "core/error.h"
#include "sandbox/system/unique_fd.h"

namespace infra::sandbox {

struct IdMap {
  uid_t uid_inside = 0, uid_outside = 0;
  gid_t gid_inside = 0, gid_outside = 0;
};

// The namespace lives as long as the descriptor or a process in it. Needs CAP_SETUID and CAP_SETGID in this process's
// own.
[[nodiscard]] Result<UniqueFd> make_user_namespace(const IdMap& map);

}  // namespace infra::sandbox
