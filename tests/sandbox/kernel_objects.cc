// A function's program that makes as many of one kind of kernel object as it is let, and holds them: `kernel_objects
// KIND SECONDS` prints how many there are and waits for the end of its input. kernel_objects_test.cc looks at what the
// machine has left.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kProcesses = 100;  // of the 128 that a sandbox may have
Clock::time_point give_up;       // the attack ends then at the latest
std::atomic<long>* made = nullptr;

bool time_is_left() {
  return Clock::now() < give_up;
}

// Calls `make` until it says no.
template <typename Make>
void repeat(const Make& make) {
  while (time_is_left() && make()) made->fetch_add(1, std::memory_order_relaxed);
}

// In as many processes as there may be, each with descriptors of its own; all stay.
template <typename Attack>
void in_many(const Attack& attack) {
  for (int i = 0; i < kProcesses; ++i) {
    const pid_t child = ::fork();
    if (child < 0) break;
    if (child > 0) continue;
    attack(i);
    for (;;) ::pause();
  }
}

std::string numbered(const char* folder, long number) {
  return std::string(folder) + "/" + std::to_string(::getpid()) + "-" + std::to_string(number);
}

void fill(int fd) {
  static const std::array<char, 65536> kBytes{};
  ::fcntl(fd, F_SETFL, O_NONBLOCK);
  for (const std::size_t size : {kBytes.size(), std::size_t{4096}, std::size_t{1}}) {
    while (::write(fd, kBytes.data(), size) > 0) {
    }
  }
}

void grow_buffers(int socket) {
  const int most = 64 << 20;
  ::setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &most, sizeof most);
  ::setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &most, sizeof most);
}

sockaddr_in loopback() {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

void tcp(int) {
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  auto address = loopback();
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  grow_buffers(listener);
  if (::bind(listener, generic, size) != 0 || ::listen(listener, 4096) != 0) return;
  ::getsockname(listener, generic, &size);
  repeat([&] {
    const int client = ::socket(AF_INET, SOCK_STREAM, 0);
    grow_buffers(client);
    if (client < 0 || ::connect(client, generic, size) != 0) return false;
    const int server = ::accept(listener, nullptr, nullptr);
    fill(client);
    if (server >= 0) fill(server);
    return server >= 0;
  });
}

void udp(int) {
  repeat([] {
    const int socket = ::socket(AF_INET, SOCK_DGRAM, 0);
    auto address = loopback();
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    grow_buffers(socket);
    if (socket < 0 || ::bind(socket, generic, size) != 0) return false;
    ::getsockname(socket, generic, &size);
    ::connect(socket, generic, size);
    ::fcntl(socket, F_SETFL, O_NONBLOCK);
    static const std::array<char, 60000> kBytes{};
    for (int i = 0; i < 2000; ++i) {
      if (::send(socket, kBytes.data(), i % 2 == 0 ? kBytes.size() : 1, MSG_DONTWAIT) < 0) break;
    }
    return true;
  });
}

template <int Type>
void local(int) {
  repeat([] {
    std::array<int, 2> ends{-1, -1};
    if (::socketpair(AF_UNIX, Type, 0, ends.data()) != 0) return false;
    for (const int end : ends) {
      grow_buffers(end);
      fill(end);
    }
    return true;
  });
}

// Descriptors that nobody has any more but a socket's queue.
void in_flight(int) {
  std::array<int, 2> ends{-1, -1};
  ::socketpair(AF_UNIX, SOCK_DGRAM, 0, ends.data());
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  repeat([&] {
    const int fd = ::eventfd(0, 0);
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof fd)> control{};
    char byte = 0;
    iovec part{&byte, 1};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    auto* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
    const bool sent = fd >= 0 && ::sendmsg(ends[0], &message, MSG_DONTWAIT) == 1;
    if (sent) ::close(fd);
    if (!sent && fd >= 0) {
      ::close(fd);
      ::socketpair(AF_UNIX, SOCK_DGRAM, 0, ends.data());
      ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
      return errno == EAGAIN && ends[0] < 1000;
    }
    return sent;
  });
}

void pipes(int) {
  repeat([] {
    std::array<int, 2> ends{-1, -1};
    if (::pipe(ends.data()) != 0) return false;
    fill(ends[1]);
    return true;
  });
}

// One of these watches all the others.
void epolls(int) {
  std::array<int, 400> watched{};
  for (int& fd : watched) fd = ::eventfd(0, 0);
  repeat([&] {
    const int poll = ::epoll_create1(0);
    if (poll < 0) return false;
    epoll_event event{};
    event.events = EPOLLIN;
    for (const int fd : watched) ::epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event);
    return true;
  });
}

void small_files(int) {
  repeat([] {
    sigset_t none;
    sigemptyset(&none);
    return ::eventfd(0, 0) >= 0 && ::timerfd_create(CLOCK_MONOTONIC, 0) >= 0 && ::signalfd(-1, &none, 0) >= 0 &&
           ::syscall(SYS_pidfd_open, ::getpid(), 0) >= 0;
  });
}

void memory_files(int) {
  repeat([] {
    const int fd = ::memfd_create("x", 0);
    return fd >= 0 && ::pwrite(fd, "x", 1, 0) == 1;
  });
}

void timers(int) {
  repeat([] {
    timer_t timer{};
    sigevent event{};
    event.sigev_notify = SIGEV_NONE;
    return ::timer_create(CLOCK_MONOTONIC, &event, &timer) == 0;
  });
}

// Every other byte of a file, so that no two can be joined.
template <int Command>
void range_locks(int) {
  int file = -1;
  long taken = 0;
  repeat([&] {
    if (taken % 500 == 0) file = ::open(numbered("/tmp", taken / 500).c_str(), O_RDWR | O_CREAT, 0600);
    struct flock lock{};
    lock.l_type = F_WRLCK;
    lock.l_start = 2 * (taken % 500);
    lock.l_len = 1;
    ++taken;
    return ::fcntl(file, Command, &lock) == 0;
  });
}

void whole_locks(int) {
  repeat([] {
    const int file = ::open("/tmp", O_RDONLY);
    return file >= 0 && ::flock(file, LOCK_SH) == 0;
  });
}

void pressure(int) {
  repeat([] {
    const int file = ::open("/proc/pressure/memory", O_RDWR);
    return file >= 0 && ::write(file, "some 150000 2000000", 20) > 0;
  });
}

void inodes(int) {
  long number = 0;
  repeat([&] {
    bool any = false;
    for (const char* folder : {"/tmp", "/output", "/workspace", "/dev/shm"})
      any = ::mkdir(numbered(folder, number).c_str(), 0700) == 0 || any;
    ++number;
    return any;
  });
}

// Names that are not there, which the kernel remembers.
void missing_names(int) {
  long number = 0;
  repeat([&] {
    struct stat info{};
    for (const char* folder : {"/tmp", "/usr/lib", "/workspace", "/proc/self", "/etc"})
      ::stat((numbered(folder, number) + std::string(180, 'x')).c_str(), &info);
    ++number;
    return true;
  });
}

void attributes(int) {
  long number = 0;
  int file = -1;
  static const std::array<char, 60000> kValue{};
  repeat([&] {
    if (number % 50 == 0) file = ::open(numbered("/tmp", number).c_str(), O_RDWR | O_CREAT, 0600);
    ++number;
    return file >= 0 &&
           ::fsetxattr(file, ("user." + std::to_string(number)).c_str(), kValue.data(), kValue.size(), 0) == 0;
  });
}

void mappings(int) {
  repeat([] {
    void* const page = ::mmap(nullptr, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page != MAP_FAILED && ::mprotect(page, 4096, PROT_NONE) == 0;
  });
}

// A table of pages for each page that is read.
void page_tables(int) {
  constexpr std::size_t kSpan = 2UL << 20;
  repeat([] {
    auto* const span = static_cast<volatile char*>(
        ::mmap(nullptr, 64 * kSpan, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    if (span == MAP_FAILED) return false;
    ::madvise(const_cast<char*>(span), 64 * kSpan, MADV_NOHUGEPAGE);
    for (std::size_t i = 0; i < 64; ++i) (void)span[i * kSpan];
    return true;
  });
}

void shared_segments(int) {
  repeat([] {
    const int segment = ::shmget(IPC_PRIVATE, 4096, 0600);
    return segment >= 0;
  });
}

void semaphores(int) {
  repeat([] { return ::semget(IPC_PRIVATE, 250, 0600) >= 0; });
}

void messages(int) {
  repeat([] {
    const int queue = ::msgget(IPC_PRIVATE, 0600);
    struct {
      long type = 1;
      std::array<char, 1024> text{};
    } message;
    for (int i = 0; queue >= 0 && i < 16; ++i) ::msgsnd(queue, &message, sizeof message.text, IPC_NOWAIT);
    return queue >= 0;
  });
}

void groups(int) {
  repeat([] {
    const int socket = ::socket(AF_INET, SOCK_DGRAM, 0);
    if (socket < 0) return false;
    for (std::uint32_t i = 1; i < 30; ++i) {
      ip_mreqn group{};
      group.imr_multiaddr.s_addr = htonl(0xe8000000U + i);
      group.imr_ifindex = 1;
      ::setsockopt(socket, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group);
    }
    return true;
  });
}

// Connections that are over, which their protocol still remembers.
void ended_connections(int) {
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  auto address = loopback();
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (::bind(listener, generic, size) != 0 || ::listen(listener, 4096) != 0) return;
  ::getsockname(listener, generic, &size);
  repeat([&] {
    const int client = ::socket(AF_INET, SOCK_STREAM, 0);
    const bool connected = client >= 0 && ::connect(client, generic, size) == 0;
    ::close(client);
    ::close(::accept(listener, nullptr, nullptr));
    return connected;
  });
}

struct Kind {
  std::string_view name;
  void (*attack)(int);
  bool alone = false;
};

constexpr auto kKinds = std::to_array<Kind>({{"tcp", tcp},
                                             {"udp", udp},
                                             {"unix_stream", local<SOCK_STREAM>},
                                             {"unix_dgram", local<SOCK_DGRAM>},
                                             {"unix_seqpacket", local<SOCK_SEQPACKET>},
                                             {"in_flight", in_flight},
                                             {"pipes", pipes},
                                             {"epolls", epolls},
                                             {"small_files", small_files},
                                             {"memory_files", memory_files},
                                             {"timers", timers},
                                             {"process_locks", range_locks<F_SETLK>},
                                             {"file_locks", range_locks<F_OFD_SETLK>},
                                             {"whole_locks", whole_locks},
                                             {"pressure", pressure},
                                             {"inodes", inodes},
                                             {"missing_names", missing_names},
                                             {"attributes", attributes},
                                             {"mappings", mappings},
                                             {"page_tables", page_tables},
                                             {"shared_segments", shared_segments},
                                             {"semaphores", semaphores},
                                             {"messages", messages},
                                             {"groups", groups},
                                             {"ended_connections", ended_connections}});

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) return 2;
  give_up = Clock::now() + std::chrono::milliseconds(std::atol(arguments[2]));
  made =
      static_cast<std::atomic<long>*>(::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  for (const auto& kind : kKinds) {
    if (kind.name != arguments[1]) continue;
    in_many(kind.attack);
    long before = -1;
    while (time_is_left() && made->load() != before) {
      before = made->load();
      ::usleep(200'000);
    }
    std::printf("%ld\n", made->load());
    std::fflush(stdout);
    char byte = 0;
    (void)!::read(STDIN_FILENO, &byte, 1);
    ::kill(-1, SIGKILL);
    return 0;
  }
  return 3;
}
