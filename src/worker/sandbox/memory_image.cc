#include "worker/sandbox/memory_image.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

#include "worker/sandbox/system_error.h"
#include "worker/sandbox/unique_fd.h"

namespace infra::worker::memory_image {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kMaxRanges = 512;
constexpr std::size_t kMaxBytes = 256UL * 1024 * 1024;
// Around the thread pointer: errno, and what the kernel writes to at any time (restartable sequences).
constexpr std::uintptr_t kThreadArea = kPage;

struct Range {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
  [[nodiscard]] std::size_t size() const { return end - begin; }
};

struct Image {
  UniqueFd file;
  dev_t device = 0;
  ino_t inode = 0;  // 0: there is no image
  std::array<Range, kMaxRanges> ranges;
  std::size_t count = 0;
  std::size_t bytes = 0;
};
constinit Image image;

char* at(std::uintptr_t address) {
  return reinterpret_cast<char*>(address);  // NOLINT(performance-no-int-to-ptr): that is how the kernel tells it
}
std::uintptr_t page_below(std::uintptr_t address) {
  return address & ~(kPage - 1);
}

struct Mapping {
  Range range;
  bool writable = false;  // and private
  bool stack = false;
  dev_t device = 0;
  ino_t inode = 0;
};

// "55e4a0000000-55e4a0021000 rw-p 00000000 00:01 1234   name"
std::optional<Mapping> parse_mapping(std::string_view line) {
  const char* next = line.data();
  const char* const end = line.data() + line.size();
  const auto number = [&](auto& value, int base) {
    const auto parsed = std::from_chars(next, end, value, base);
    next = std::min(parsed.ptr + 1, end);
    return parsed.ec == std::errc();
  };
  Mapping found;
  std::uintptr_t offset = 0;
  unsigned major = 0;
  unsigned minor = 0;
  if (!number(found.range.begin, 16) || !number(found.range.end, 16) || end - next < 5) return std::nullopt;
  found.writable = std::string_view(next, 4) == "rw-p";
  next += 5;
  if (!number(offset, 16) || !number(major, 16) || !number(minor, 16) || !number(found.inode, 10)) return std::nullopt;
  found.device = ::makedev(major, minor);
  found.stack = line.ends_with("[stack]");
  return found;
}

// What is mapped, from the kernel's own list. False if it can't be read.
template <typename Each>
bool each_mapping(Each each) {
  const UniqueFd list(::open("/proc/self/maps", O_RDONLY | O_CLOEXEC));
  std::array<char, 8192> buffer;  // a line has a path of 4 KiB at most
  std::size_t kept = 0;
  while (list.valid()) {
    const ssize_t got = ::read(list.get(), buffer.data() + kept, buffer.size() - kept);
    if (got <= 0) return got == 0;
    std::string_view text(buffer.data(), kept + static_cast<std::size_t>(got));
    for (auto end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
      if (const auto mapping = parse_mapping(text.substr(0, end))) each(*mapping);
      text.remove_prefix(end + 1);
    }
    kept = text.size();
    std::memmove(buffer.data(), text.data(), kept);
  }
  return false;
}

void add_range(Range range) {
  if (range.begin >= range.end) return;
  image.bytes += range.size();
  if (image.count > 0 && image.ranges[image.count - 1].end == range.begin) {
    image.ranges[image.count - 1].end = range.end;
  } else if (image.count < kMaxRanges) {
    image.ranges[image.count++] = range;
  }
}

// Of pages that this process alone has: of those that it still shares with the zygote, dropping one gives nothing.
bool is_own(std::uint64_t entry) {
  constexpr std::uint64_t kPresent = 1UL << 63;
  constexpr std::uint64_t kOfAFile = 1UL << 61;
  constexpr std::uint64_t kExclusive = 1UL << 56;
  return (entry & (kPresent | kOfAFile | kExclusive)) == (kPresent | kExclusive);
}

constexpr std::size_t kBatch = 32;  // pages

// What the kernel gives in place of a dropped page is looked at, not assumed: what differs is put back. Nobody sees it
// meanwhile.
void drop_pages(Range run, char* aside) {
  char* const pages = at(run.begin);
  std::memcpy(aside, pages, run.size());
  if (::madvise(pages, run.size(), MADV_DONTNEED) != 0) return;
  for (std::size_t offset = 0; offset < run.size(); offset += kPage) {
    if (std::memcmp(pages + offset, aside + offset, kPage) != 0) std::memcpy(pages + offset, aside + offset, kPage);
  }
}

void drop_pages_of(Range range, const UniqueFd& page_table, char* aside) {
  std::array<std::uint64_t, 512> entries;
  for (std::uintptr_t begin = range.begin; begin < range.end; begin += entries.size() * kPage) {
    const std::size_t wanted = std::min(entries.size(), (range.end - begin) / kPage);
    const auto place = static_cast<off_t>(begin / kPage * sizeof(std::uint64_t));
    const ssize_t got = ::pread(page_table.get(), entries.data(), wanted * sizeof(std::uint64_t), place);
    if (got != static_cast<ssize_t>(wanted * sizeof(std::uint64_t))) return;
    for (std::size_t first = 0; first < wanted;) {
      std::size_t last = first;
      while (last < wanted && last - first < kBatch && is_own(entries[last])) ++last;
      if (last > first) drop_pages({begin + first * kPage, begin + last * kPage}, aside);
      first = std::max(last, first + 1);
    }
  }
}

// What lies below the stack's end is nobody's any more.
[[gnu::noinline]] void drop_dead_stack(std::uintptr_t lowest) {
  constexpr std::uintptr_t kOwnFrames = 2 * kPage;
  const std::uintptr_t end = page_below(reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0)) - kOwnFrames);
  if (lowest < end) ::madvise(at(lowest), end - lowest, MADV_DONTNEED);
}

// Gives where the stack's memory begins; 0 if this is not the stack that the kernel made.
[[gnu::noinline]] std::uintptr_t return_own_pages() {
  const UniqueFd page_table(::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
  if (!page_table.valid()) return 0;
  void* const aside = ::mmap(nullptr, kBatch * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (aside == MAP_FAILED) return 0;
  const auto here = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
  std::uintptr_t stack = 0;
  each_mapping([&](const Mapping& mapping) {
    if (mapping.stack && here >= mapping.range.begin && here < mapping.range.end) stack = mapping.range.begin;
    if (mapping.writable && mapping.inode == image.inode && mapping.device == image.device)
      drop_pages_of(mapping.range, page_table, static_cast<char*>(aside));
  });
  ::munmap(aside, kBatch * kPage);
  return stack;
}

}  // namespace

Result<void> plan() {
  if (::sysconf(_SC_PAGESIZE) != static_cast<long>(kPage)) return system_failure("the size of pages", ENOTSUP);
  image.file.reset(::memfd_create("infra-python", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!image.file.valid()) return system_failure("making the memory image");
  const auto thread = reinterpret_cast<std::uintptr_t>(__builtin_thread_pointer());
  const Range excluded{page_below(thread - kThreadArea), page_below(thread + kThreadArea) + kPage};
  image.count = image.bytes = 0;
  const bool listed = each_mapping([&](const Mapping& mapping) {
    if (!mapping.writable || mapping.stack) return;
    const Range range = mapping.range;
    add_range({range.begin, std::min(range.end, std::max(range.begin, excluded.begin))});
    add_range({std::max(range.begin, std::min(range.end, excluded.end)), range.end});
  });
  if (!listed || image.count == kMaxRanges || image.bytes > kMaxBytes) return system_failure("listing memory", ENOMEM);
  if (::ftruncate(image.file.get(), static_cast<off_t>(image.bytes)) != 0) return system_failure("sizing the image");
  return {};
}

bool capture() {
  off_t place = 0;
  for (std::size_t i = 0; i < image.count; ++i) {
    const Range range = image.ranges[i];
    for (std::size_t done = 0; done < range.size();) {
      const ssize_t wrote =
          ::pwrite(image.file.get(), at(range.begin + done), range.size() - done, place + static_cast<off_t>(done));
      if (wrote == 0 || (wrote < 0 && errno != EFAULT)) return false;
      done += wrote > 0 ? static_cast<std::size_t>(wrote) : kPage;  // it has given that page back since
      done = page_below(done);
    }
    place += static_cast<off_t>(range.size());
  }
  return true;
}

Result<void> adopt() {
  if (::fcntl(image.file.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0)
    return system_failure("sealing the memory image");
  off_t place = 0;
  for (std::size_t i = 0; i < image.count; ++i) {
    const Range range = image.ranges[i];
    void* const mapped = ::mmap(nullptr, range.size(), PROT_READ | PROT_WRITE, MAP_PRIVATE, image.file.get(), place);
    if (mapped == MAP_FAILED) return system_failure("mapping the memory image");
    // Every page is read: whoever has a page of a file in use first is charged for it, and that is not to be a sandbox.
    auto* const pages = static_cast<char*>(mapped);
    for (std::size_t offset = 0; offset < range.size(); offset += kPage) {
      const char* own = at(range.begin + offset);
      if (std::memcmp(pages + offset, own, kPage) != 0) std::memcpy(pages + offset, own, kPage);
    }
    if (::mremap(mapped, range.size(), range.size(), MREMAP_MAYMOVE | MREMAP_FIXED, at(range.begin)) == MAP_FAILED)
      return system_failure("putting the memory image in place");
    place += static_cast<off_t>(range.size());
  }
  struct stat info{};
  if (::fstat(image.file.get(), &info) != 0) return system_failure("looking at the memory image");
  image.device = info.st_dev;
  image.inode = info.st_ino;
  image.file.reset();
  return {};
}

void return_pages() {
  if (image.inode == 0) return;
  struct stat tasks{};
  constexpr nlink_t kOneTask = 3;  // two, and one for each
  if (::stat("/proc/self/task", &tasks) != 0 || tasks.st_nlink != kOneTask) return;
  if (const std::uintptr_t stack = return_own_pages(); stack != 0) drop_dead_stack(stack);
}

}  // namespace infra::worker::memory_image
