// An idle runner's own part of its memory: the words in which it differs from the image that all runners share
// (memory_image.h), a few words a page. The pages themselves it gives back, and fills anew when a call comes.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

namespace infra::sandbox {

// The file that lies below a runner's memory, and where all of it can be read as it is in the file.
struct ImageFile {
  dev_t device = 0;
  ino_t inode = 0;
  std::uintptr_t view = 0;  // a shared mapping of the whole file that can't be written to
  std::size_t bytes = 0;
};

// Memory that holds other bytes than it should, from begin() to end(). Meanwhile the process's only thread must do
// nothing but wait, and no handler of a signal may run. Both allocate nothing and write to no memory of the image's
// other than what they say.
class IdlePages {
 public:
  IdlePages() = default;
  IdlePages(const IdlePages&) = delete;
  IdlePages& operator=(const IdlePages&) = delete;
  ~IdlePages() = default;

  // A foreign mapping (one that the function has put in the view's place) is left alone.
  void begin(const ImageFile& file);
  // Every byte is as it was.
  void end();

 private:
  // The list that end() goes by: one entry a page, in the order of giving back.
  std::byte* kept_ = nullptr;
  std::size_t reserved_ = 0;
  std::size_t used_ = 0;

  friend class RestingPages;
};

}  // namespace infra::sandbox
