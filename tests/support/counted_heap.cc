#include "support/counted_heap.h"

#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::size_t> held = 0;
std::atomic<std::size_t> peak = 0;

void* counted(void* memory) {
  if (memory == nullptr) std::abort();
  const std::size_t now = held += malloc_usable_size(memory);
  for (std::size_t most = peak; most < now && !peak.compare_exchange_weak(most, now);) {
  }
  return memory;
}

void uncounted(void* memory) {
  held -= malloc_usable_size(memory);
  std::free(memory);  // NOLINT(cppcoreguidelines-no-malloc): this is what stands behind new
}

}  // namespace

// NOLINTBEGIN(cppcoreguidelines-no-malloc,misc-new-delete-overloads)
void* operator new(std::size_t size) {
  return counted(std::malloc(size));
}
void* operator new(std::size_t size, std::align_val_t align) {
  return counted(std::aligned_alloc(static_cast<std::size_t>(align), size));
}
void operator delete(void* memory) noexcept {
  uncounted(memory);
}
void operator delete(void* memory, std::size_t /*size*/) noexcept {
  uncounted(memory);
}
void operator delete(void* memory, std::align_val_t /*align*/) noexcept {
  uncounted(memory);
}
void operator delete(void* memory, std::size_t /*size*/, std::align_val_t /*align*/) noexcept {
  uncounted(memory);
}
// NOLINTEND(cppcoreguidelines-no-malloc,misc-new-delete-overloads)

namespace infra::testing {

void CountedHeap::begin() {
  before_ = held;
  peak = before_;
}

std::size_t CountedHeap::most() const {
  return peak - before_;
}

}  // namespace infra::testing
