// Preloaded into a program under test: the Nth of its system calls of one kind fails, when a test says so. What that is
// to be stands in a file that both have mapped, whose name is in INFRA_FAULTS.
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace {

// As tests/e2e/faults.py has it.
struct Plan {
  std::atomic<std::int32_t> kind;   // 0: none
  std::atomic<std::int32_t> error;  // errno
  std::atomic<std::int32_t> nth;    // from 1
  std::atomic<std::int32_t> seen;
};
enum Kind : std::int32_t { kOpen = 1, kWrite, kSync, kRename, kMkdir, kSocket, kWatch };

using OpenAt = int (*)(int, const char*, int, ...);
using OpenFile = FILE* (*)(const char*, const char*);

Plan* map_plan() {
  const char* const name = std::getenv("INFRA_FAULTS");
  const auto open_at = reinterpret_cast<OpenAt>(::dlsym(RTLD_NEXT, "openat"));
  const auto map = reinterpret_cast<decltype(&::mmap)>(::dlsym(RTLD_NEXT, "mmap"));
  const int file = name == nullptr ? -1 : open_at(AT_FDCWD, name, O_RDWR | O_CLOEXEC);
  if (file < 0) return nullptr;
  void* const mapped = map(nullptr, sizeof(Plan), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  ::close(file);
  return mapped == MAP_FAILED ? nullptr : static_cast<Plan*>(mapped);
}

bool mapping = true;
Plan* plan() {
  static Plan* const mapped = [] {
    Plan* const done = map_plan();
    mapping = false;
    return done;
  }();
  return mapped;
}

// Made when the library is loaded, by one thread; before that nothing fails.
[[gnu::constructor]] void begin() {
  (void)plan();
}

bool fails(Kind kind) {
  if (mapping) return false;
  Plan* const p = plan();
  if (p == nullptr || p->kind != kind || ++p->seen != p->nth) return false;
  errno = p->error;
  return true;
}

template <typename Function>
Function next(const char* name) {
  return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

mode_t mode_of(int flags, va_list arguments) {
  return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
}

}  // namespace

// One that stands in front of the C library's: NAME(PARAMETERS) gives FAILED if it is to fail.
#define STAND_IN(KIND, RESULT, NAME, PARAMETERS, ARGUMENTS, FAILED) \
  extern "C" RESULT NAME PARAMETERS {                               \
    static const auto real = next<RESULT(*) PARAMETERS>(#NAME);     \
    return fails(KIND) ? (FAILED) : real ARGUMENTS;                 \
  }
#define STAND_IN_OPEN(NAME)                                               \
  extern "C" int NAME(const char* path, int flags, ...) {                 \
    static const auto real = next<int (*)(const char*, int, ...)>(#NAME); \
    va_list arguments;                                                    \
    va_start(arguments, flags);                                           \
    const mode_t mode = mode_of(flags, arguments);                        \
    va_end(arguments);                                                    \
    return fails(kOpen) ? -1 : real(path, flags, mode);                   \
  }
#define STAND_IN_OPENAT(NAME)                                         \
  extern "C" int NAME(int folder, const char* path, int flags, ...) { \
    static const auto real = next<OpenAt>(#NAME);                     \
    va_list arguments;                                                \
    va_start(arguments, flags);                                       \
    const mode_t mode = mode_of(flags, arguments);                    \
    va_end(arguments);                                                \
    return fails(kOpen) ? -1 : real(folder, path, flags, mode);       \
  }

STAND_IN_OPEN(open)
STAND_IN_OPEN(open64)
STAND_IN_OPENAT(openat)
STAND_IN_OPENAT(openat64)
STAND_IN(kOpen, FILE*, fopen, (const char* path, const char* mode), (path, mode), nullptr)
STAND_IN(kOpen, FILE*, fopen64, (const char* path, const char* mode), (path, mode), nullptr)
STAND_IN(kWrite, ssize_t, write, (int file, const void* bytes, size_t size), (file, bytes, size), -1)
STAND_IN(kWrite, ssize_t, writev, (int file, const iovec* parts, int count), (file, parts, count), -1)
STAND_IN(kWrite, ssize_t, pwrite, (int file, const void* bytes, size_t size, off_t at), (file, bytes, size, at), -1)
STAND_IN(kWrite, ssize_t, pwrite64, (int file, const void* bytes, size_t size, off64_t at), (file, bytes, size, at), -1)
STAND_IN(kSync, int, fsync, (int file), (file), -1)
STAND_IN(kSync, int, fdatasync, (int file), (file), -1)
STAND_IN(kRename, int, rename, (const char* from, const char* to), (from, to), -1)
STAND_IN(kMkdir, int, mkdir, (const char* path, mode_t mode), (path, mode), -1)
STAND_IN(kMkdir, int, mkdirat, (int folder, const char* path, mode_t mode), (folder, path, mode), -1)
STAND_IN(kSocket, int, socketpair, (int domain, int type, int protocol, int ends[2]), (domain, type, protocol, ends),
         -1)
STAND_IN(kSocket, int, pipe2, (int ends[2], int flags), (ends, flags), -1)
STAND_IN(kSocket, ssize_t, sendmsg, (int socket, const msghdr* message, int flags), (socket, message, flags), -1)
STAND_IN(kSocket, ssize_t, recvmsg, (int socket, msghdr* message, int flags), (socket, message, flags), -1)
STAND_IN(kWatch, int, epoll_ctl, (int epoll, int operation, int file, epoll_event* event),
         (epoll, operation, file, event), -1)
