#include "sandbox/zygote/memory_image.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>

#include "sandbox/system/system_error.h"
#include "sandbox/system/unique_fd.h"
#include "sandbox/zygote/memory_mappings.h"

namespace infra::sandbox::memory_image {
namespace {

constexpr std::size_t kMaxRanges = 512;
constexpr std::size_t kMaxBytes = 256UL * 1024 * 1024;
// Around the thread pointer: errno, and what the kernel writes to at any time (restartable sequences).
constexpr std::uintptr_t kThreadArea = kPage;

struct Image {
  UniqueFd file;
  ImageFile kept;  // without an inode there is no image
  std::array<Range, kMaxRanges> ranges;
  std::size_t count = 0;
  std::size_t bytes = 0;
};
constinit Image image;

void add_range(Range range) {
  if (range.begin >= range.end) return;
  image.bytes += range.size();
  if (image.count > 0 && image.ranges[image.count - 1].end == range.begin) {
    image.ranges[image.count - 1].end = range.end;
  } else if (image.count < kMaxRanges) {
    image.ranges[image.count++] = range;
  }
}

// A shared mapping that can't be made writable, of a descriptor that is not: before 6.7 the kernel maps no sealed
// file otherwise.
Result<ImageFile> make_view() {
  const std::string own = "/proc/self/fd/" + std::to_string(image.file.get());
  const UniqueFd file(::open(own.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info{};
  if (!file.valid() || ::fstat(file.get(), &info) != 0) return system_failure("looking at the memory image");
  void* const view = ::mmap(nullptr, image.bytes, PROT_READ, MAP_SHARED, file.get(), 0);
  if (view == MAP_FAILED) return system_failure("mapping the memory image as it is");
  return ImageFile{.device = info.st_dev,
                   .inode = info.st_ino,
                   .view = reinterpret_cast<std::uintptr_t>(view),
                   .bytes = image.bytes};
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
  auto view = make_view();
  if (!view) return fail(view.error());
  off_t place = 0;
  for (std::size_t i = 0; i < image.count; ++i) {
    const Range range = image.ranges[i];
    void* const mapped = ::mmap(nullptr, range.size(), PROT_READ | PROT_WRITE, MAP_PRIVATE, image.file.get(), place);
    if (mapped == MAP_FAILED) return system_failure("mapping the memory image");
    // Every page is read: the first user of a file's page is charged for it, and that is not to be a sandbox.
    auto* const pages = static_cast<char*>(mapped);
    for (std::size_t offset = 0; offset < range.size(); offset += kPage) {
      const char* own = at(range.begin + offset);
      if (std::memcmp(pages + offset, own, kPage) != 0) std::memcpy(pages + offset, own, kPage);
    }
    if (::mremap(mapped, range.size(), range.size(), MREMAP_MAYMOVE | MREMAP_FIXED, at(range.begin)) == MAP_FAILED)
      return system_failure("putting the memory image in place");
    place += static_cast<off_t>(range.size());
  }
  image.kept = *view;
  image.file.reset();
  return {};
}

void begin_rest(IdlePages& rest) {
  if (image.kept.inode == 0) return;
  struct stat tasks{};
  constexpr nlink_t kOneTask = 3;  // two, and one for each
  if (::stat("/proc/self/task", &tasks) != 0 || tasks.st_nlink != kOneTask) return;
  rest.begin(image.kept);
}

}  // namespace infra::sandbox::memory_image
