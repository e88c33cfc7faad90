#include "sandbox/zygote/idle_pages.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "sandbox/zygote/memory_mappings.h"

namespace infra::sandbox {
namespace {

using Word = std::uint64_t;
constexpr std::size_t kGroupWords = 8;
constexpr std::size_t kGroups = 64;
static_assert(kGroups * kGroupWords * sizeof(Word) == kPage);
constexpr std::size_t kBatch = 32;  // pages

// An entry: where the page is, which groups of words differ from the file's, for each of these which words, and then
// the words. A page with less to gain than this stays.
constexpr std::size_t kHead = sizeof(std::uintptr_t) + sizeof(Word);
constexpr std::size_t kMostWords = 448;
constexpr std::size_t kLargestEntry = kHead + kGroups + kMostWords * sizeof(Word);

// Of pages that this process alone has: of those that it still shares with the zygote, dropping one gives nothing.
bool is_own(std::uint64_t entry) {
  constexpr std::uint64_t kPresent = 1UL << 63;
  constexpr std::uint64_t kOfAFile = 1UL << 61;
  constexpr std::uint64_t kExclusive = 1UL << 56;
  return (entry & (kPresent | kOfAFile | kExclusive)) == (kPresent | kExclusive);
}

std::byte* put(std::byte* to, const void* from, std::size_t size) {
  std::memcpy(to, from, size);
  return to + size;
}

// Writes a page's entry, of at most kLargestEntry bytes. Gives its end; nothing if the page had better stay.
std::byte* write_entry(std::byte* to, std::uintptr_t address, const char* model) {
  const char* page = at(address);
  Word groups = 0;
  std::size_t words = 0;
  std::array<std::uint8_t, kGroups> masks;
  for (std::size_t group = 0; group < kGroups; ++group) {
    std::array<Word, kGroupWords> own;
    std::array<Word, kGroupWords> theirs;
    std::memcpy(own.data(), page + group * sizeof own, sizeof own);
    std::memcpy(theirs.data(), model + group * sizeof theirs, sizeof theirs);
    unsigned mask = 0;
    for (std::size_t word = 0; word < kGroupWords; ++word) mask |= (own[word] != theirs[word] ? 1U : 0U) << word;
    masks[group] = static_cast<std::uint8_t>(mask);
    groups |= Word{mask != 0 ? 1U : 0U} << group;
    words += static_cast<std::size_t>(std::popcount(mask));
  }
  if (words > kMostWords) return nullptr;
  to = put(put(to, &address, sizeof address), &groups, sizeof groups);
  std::byte* marks = to;
  to += std::popcount(groups);
  for (; groups != 0; groups &= groups - 1) {
    const auto group = static_cast<std::size_t>(std::countr_zero(groups));
    *marks++ = std::byte{masks[group]};
    for (unsigned mask = masks[group]; mask != 0; mask &= mask - 1) {
      const auto word = group * kGroupWords + static_cast<std::size_t>(std::countr_zero(mask));
      to = put(to, page + word * sizeof(Word), sizeof(Word));
    }
  }
  return to;
}

// Gives the entry's end.
const std::byte* apply_entry(const std::byte* from) {
  std::uintptr_t address = 0;
  Word groups = 0;
  std::memcpy(&address, from, sizeof address);
  std::memcpy(&groups, from + sizeof address, sizeof groups);
  const std::byte* marks = from + kHead;
  from = marks + std::popcount(groups);
  char* page = at(address);
  for (; groups != 0; groups &= groups - 1) {
    const auto group = static_cast<std::size_t>(std::countr_zero(groups));
    for (auto mask = static_cast<unsigned>(*marks++); mask != 0; mask &= mask - 1) {
      const auto word = group * kGroupWords + static_cast<std::size_t>(std::countr_zero(mask));
      std::memcpy(page + word * sizeof(Word), from, sizeof(Word));
      from += sizeof(Word);
    }
  }
  return from;
}

// The view once more, where it takes no page tables when it is gone again. Zero if the kernel does not say that it is
// where it was.
std::uintptr_t copy_view(const ImageFile& file) {
  bool there = false;
  each_mapping([&](const Mapping& mapping) {
    there = there || (mapping.range.begin == file.view && mapping.range.size() == file.bytes && mapping.shared &&
                      mapping.offset == 0 && mapping.inode == file.inode && mapping.device == file.device);
  });
  if (!there) return 0;
  void* const copy = ::mremap(at(file.view), 0, file.bytes, MREMAP_MAYMOVE);
  return copy == MAP_FAILED ? 0 : reinterpret_cast<std::uintptr_t>(copy);
}

// Bytes below the stack's end are unused.
[[gnu::noinline]] void drop_dead_stack(std::uintptr_t lowest) {
  constexpr std::uintptr_t kOwnFrames = 2 * kPage;
  const std::uintptr_t end = page_below(reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0)) - kOwnFrames);
  if (lowest < end) ::madvise(at(lowest), end - lowest, MADV_DONTNEED);
}

}  // namespace

// One pass over the pages of the image.
class RestingPages {
 public:
  RestingPages(IdlePages& rest, int page_table, std::uintptr_t model)
      : rest_(rest), page_table_(page_table), model_(model) {}

  void give_back(const Mapping& mapping) {
    std::array<std::uint64_t, 512> entries;
    const Range range = mapping.range;
    for (std::uintptr_t begin = range.begin; begin < range.end; begin += entries.size() * kPage) {
      const std::size_t wanted = std::min(entries.size(), (range.end - begin) / kPage);
      const auto place = static_cast<off_t>(begin / kPage * sizeof(std::uint64_t));
      const ssize_t got = ::pread(page_table_, entries.data(), wanted * sizeof(std::uint64_t), place);
      if (got != static_cast<ssize_t>(wanted * sizeof(std::uint64_t))) return;
      for (std::size_t page = 0; page < wanted; ++page) {
        if (is_own(entries[page])) take(mapping, begin + page * kPage);
      }
      drop();
    }
  }

 private:
  void take(const Mapping& mapping, std::uintptr_t address) {
    if (run_.end != address || run_.size() == kBatch * kPage) drop();
    if (rest_.used_ + kLargestEntry > rest_.reserved_) return;
    if (run_.size() == 0) run_ = {address, address};
    const char* model = at(model_ + mapping.offset + (address - mapping.range.begin));
    const std::byte* end = write_entry(rest_.kept_ + rest_.used_, address, model);
    if (end == nullptr) return drop();
    rest_.used_ = static_cast<std::size_t>(end - rest_.kept_);
    run_.end = address + kPage;
  }

  // What could not be dropped has no entry either.
  void drop() {
    if (run_.size() > 0 && ::madvise(at(run_.begin), run_.size(), MADV_DONTNEED) != 0) rest_.used_ = dropped_;
    dropped_ = rest_.used_;
    run_ = {};
  }

  IdlePages& rest_;
  int page_table_;
  std::uintptr_t model_;
  Range run_;                // that has entries and is yet to be dropped
  std::size_t dropped_ = 0;  // the entries before are of pages that are dropped
};

void IdlePages::begin(const ImageFile& file) {
  const ImageFile own = file;  // that may be in the image itself
  const UniqueFd page_table(::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
  const std::uintptr_t model = page_table.valid() ? copy_view(own) : 0;
  if (model == 0) return;
  constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  void* const room =
      ::mmap(nullptr, own.bytes, PROT_READ | PROT_WRITE, kFlags, -1, 0);  // what is not used costs nothing
  if (room != MAP_FAILED) {
    kept_ = static_cast<std::byte*>(room);
    reserved_ = own.bytes;
    RestingPages pages(*this, page_table.get(), model);
    const auto here = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
    std::uintptr_t stack = 0;
    each_mapping([&](const Mapping& mapping) {
      if (mapping.stack && here >= mapping.range.begin && here < mapping.range.end) stack = mapping.range.begin;
      if (mapping.writable && mapping.inode == own.inode && mapping.device == own.device &&
          mapping.offset + mapping.range.size() <= own.bytes)
        pages.give_back(mapping);
    });
    if (stack != 0) drop_dead_stack(stack);
  }
  ::munmap(at(model), own.bytes);
}

void IdlePages::end() {
  if (kept_ == nullptr) return;
  for (const std::byte* entry = kept_; entry < kept_ + used_;) entry = apply_entry(entry);
  ::munmap(kept_, reserved_);
  kept_ = nullptr;
  reserved_ = used_ = 0;
}

}  // namespace infra::sandbox
