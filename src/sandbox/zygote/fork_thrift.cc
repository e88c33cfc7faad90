#include "sandbox/zygote/fork_thrift.h"

#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

#include "sandbox/zygote/memory_mappings.h"

namespace infra::sandbox {
namespace {

constexpr std::size_t kMost = 512UL * 1024;  // of one size

// Pieces of sizes that libc keeps lists of. What is cut from the heap's end is not between other things.
void take_holes() {
  constexpr std::size_t kAlignment = 16;
  constexpr std::size_t kLargest = 1008;
  constexpr std::size_t kSmallest = 24;
  const auto end = reinterpret_cast<std::uintptr_t>(::sbrk(0)) - ::mallinfo2().keepcost;
  for (std::size_t size = kLargest; size >= kSmallest; size -= kAlignment) {
    for (std::size_t taken = 0; taken < kMost; taken += size) {
      void* volatile const piece = std::malloc(size);
      if (piece == nullptr) return;
      if (reinterpret_cast<std::uintptr_t>(piece) < end) continue;
      std::free(piece);
      break;
    }
  }
}

// Up to the first object of a pool that nothing was in.
void open_pools(ObjectAllocator allocate) {
  constexpr std::size_t kClass = 16;
  constexpr std::size_t kLargest = 512;
  constexpr std::uintptr_t kPool = 16UL * 1024;
  constexpr std::uintptr_t kPoolHeader = 48;
  for (std::size_t size = kClass; size <= kLargest; size += kClass) {
    for (std::size_t taken = 0; taken < kMost; taken += size) {
      const auto object = reinterpret_cast<std::uintptr_t>(allocate(size));
      if (object == 0 || object % kPool == kPoolHeader) break;
    }
  }
}

bool continues(const Mapping& next, const Mapping& mapping) {
  return next.inode != 0 && next.inode == mapping.inode && next.device == mapping.device &&
         next.range.begin == mapping.range.end && next.offset == mapping.offset + mapping.range.size();
}

bool is_constant(const Mapping& mapping) {
  return !mapping.writable && !mapping.shared;
}

}  // namespace

void settle_heap(ObjectAllocator allocate) {
  if (allocate != nullptr) open_pools(allocate);
  constexpr std::size_t kLarge = 96UL * 1024;  // above what joins, below what gets a mapping of its own
  ::malloc_trim(0);
  void* volatile const large = std::malloc(kLarge);  // sorts what the trim has joined
  std::free(large);
  take_holes();
}

void join_libraries() {
  Mapping before;
  each_mapping([&](const Mapping& mapping) {
    const bool one_is_code = mapping.executable != before.executable;
    if (one_is_code && continues(mapping, before) && is_constant(mapping) && is_constant(before)) {
      const Range constants = mapping.executable ? before.range : mapping.range;
      (void)::mprotect(at(constants.begin), constants.size(), PROT_READ | PROT_EXEC);
    }
    before = mapping;
  });
}

}  // namespace infra::sandbox
