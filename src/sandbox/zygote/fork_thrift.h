// Readies the zygote for its forks, each of which pays for all that it maps and for each page that it writes to first.
#pragma once

#include <cstddef>

namespace infra::sandbox {

// The interpreter's allocator of objects of at most 512 bytes, by size classes of 16 bytes in pools of 16 KiB
// (Objects/obmalloc.c; older ones have pools of 4 KiB).
using ObjectAllocator = void* (*)(std::size_t size);

// The free pieces of a heap that has seen a hundred modules loaded lie everywhere: a page to copy for each small
// object. Takes those between other things, never to give them back, so that later allocations lie side by side, and
// puts libc's lists of free pieces in order, which would else happen at the first large free() in each runner and write
// to all of them. `allocate` may be null. In a process with one thread, once.
void settle_heap(ObjectAllocator allocate);

// Makes one mapping of a library's code and the constants before and behind it, which may be executed then; nothing of
// that can be written to.
void join_libraries();

}  // namespace infra::sandbox
