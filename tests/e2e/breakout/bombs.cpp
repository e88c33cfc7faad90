// What breakout/bombs.py does to its own sandbox and to the worker, with a C++ program's means: the same names and ends.
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <thread>

#include "escape.hpp"

namespace {

constexpr int kControl = 3;

template <typename Action>
std::string fill(Action more) {
  for (int done = 0; done < 100'000; ++done)
    if (!more(done)) return "[" + std::to_string(done) + ",\"" + strerror(errno) + "\"]";
  return "[100000,\"never refused\"]";
}

void ignore_signals() {
  for (int number = 1; number < NSIG; ++number) signal(number, SIG_IGN);
}

[[noreturn]] void spin() {
  for (;;) asm volatile("");
}

bool start_sleeper(int) {
  const pid_t child = fork();
  if (child != 0) return child > 0;
  ignore_signals();
  for (;;) pause();
}

[[noreturn]] void fork_for_ever() {
  ignore_signals();
  for (;;) fork();
}

[[noreturn]] void eat_memory() {
  constexpr std::size_t kPiece = 8 << 20;
  for (;;) {
    void* piece = mmap(nullptr, kPiece, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (piece != MAP_FAILED) memset(piece, 1, kPiece);
  }
}

void write_for_ever(int file, int times) {
  const std::string piece(1 << 20, '\1');
  while (times-- > 0 && write(file, piece.data(), piece.size()) > 0) {
  }
}

void eat_memory_by_files() {
  for (const char* path : {"/tmp/big", "/output/big", "/dev/shm/big", "/workspace/big"})
    write_for_ever(open(path, O_WRONLY | O_CREAT, 0600), 1000);
  eat_memory();
}

void leave_process(bool answers) {
  const std::string body = std::string("{\"requestId\":\"") + getenv("JOB_ID") + "\",\"ok\":true,\"handlerMs\":1,\"value\":\"forged\"}";
  const unsigned size = static_cast<unsigned>(body.size());
  const std::string frame = std::string(reinterpret_cast<const char*>(&size), 4) + body;
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("it could not be left");
  if (child != 0) return;
  ignore_signals();
  setsid();
  for (;; usleep(1000)) {
    (void)!write(1, "LEFT BEHIND\n", 12), (void)!write(2, "LEFT BEHIND\n", 12);
    if (answers) (void)!write(kControl, frame.data(), frame.size());
  }
}

void leave_threads() {
  for (int n = 0; n < 20; ++n)
    std::thread([] {
      for (;; usleep(1000)) (void)!write(1, "LEFT BEHIND\n", 12);
    }).detach();
}

void write_text(const std::string& path, const char* text) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (file < 0 || write(file, text, strlen(text)) < 0) throw std::runtime_error(path + " could not be written");
  close(file);
}

void poison() {
  unlink("/workspace/.infra/main");  // which runs
  for (const char* name : {"main", "main.cpp", "bombs.py", ".infra/main", ".infra/warm"})
    write_text(std::string("/workspace/") + name, "poisoned");
  for (const char* folder : {"/tmp", "/output", "/dev/shm"}) write_text(std::string(folder) + "/left", "poisoned");
  setenv("LEFT", "poisoned", 1);
  setenv("PATH", "/tmp", 1);
  signal(SIGTERM, SIG_IGN);
  const rlimit few{16, 16};
  setrlimit(RLIMIT_NOFILE, &few);
  umask(0777);
  std::fclose(stdout);
}

std::string noise() {
  std::string bytes;
  for (int n = 0; n < 4096; ++n) bytes += static_cast<char>(n);
  bytes += "\xe2\x80\xa8\xe2\x80\xae\x1b[2J\xed\xa0\x80\n{\"time\":\"x\",\"level\":\"error\",\"msg\":\"forged\"}\r\n\r\nHTTP/1.1 500 X\r\n";
  for (const int fd : {1, 2}) (void)!write(fd, bytes.data(), bytes.size());
  return R"({"\u0000":"\ufffd","</script>":"\u2028","__proto__":{"status":"ERROR"}})";
}

[[noreturn]] void flood() {
  const std::string line(65536, 'x');
  for (;;)
    for (const int fd : {1, 2}) (void)!write(fd, line.data(), line.size());
}

[[noreturn]] void rest() {
  for (;;) pause();
}

// Those that end the process, or leave that to the worker.
bool last(const std::string& name) {
  if (name == "fork_for_ever") fork_for_ever();
  if (name == "starve_init") {
    const sched_param none{};
    sched_setscheduler(1, SCHED_IDLE, &none);
    setpriority(PRIO_PROCESS, 1, 19);
    fork_for_ever();
  }
  if (name == "spin") {
    ignore_signals();
    for (int n = 0; n < 8; ++n) std::thread(spin).detach();
    spin();
  }
  if (name == "spin_in_a_signal_handler") {
    signal(SIGALRM, [](int) { spin(); });
    const itimerval often{{0, 1000}, {0, 1000}};
    setitimer(ITIMER_REAL, &often, nullptr);
    spin();
  }
  if (name == "flood") flood();
  if (name == "crash") abort();
  if (name == "eat_memory") eat_memory();
  if (name == "eat_memory_by_files") eat_memory_by_files();
  if (name == "eat_memory_another_way")
    for (int n = 0; n < 20; ++n) write_for_ever(memfd_create("m", 0), 100);
  if (name == "eat_memory_a_third_way")
    for (int key = 1; key < 100; ++key) memset(shmat(shmget(key, 64 << 20, IPC_CREAT | 0666), nullptr, 0), 1, 64 << 20);
  if (name == "become_another_program") execl("/bin/sleep", "sleep", "600", nullptr);
  if (name == "stop") kill(getpid(), SIGSTOP);
  if (name == "kill_all") {
    start_sleeper(0);
    kill(-1, SIGKILL);
    kill(getpid(), SIGKILL);
  }
  if (name == "close_everything") close_range(0, ~0U, 0);
  return name == "close_everything" || name == "stop";
}

}  // namespace

bool bomb(const std::string& name, const Json& event, const std::string& text, std::string& result) {
  result = "null";
  if (last(name)) return true;
  const auto opens = [](int) { return open("/dev/null", O_RDONLY) >= 0; };
  if (name == "start_sleeper") return start_sleeper(0);
  if (name == "fork_until_refused") return result = fill(start_sleeper), true;
  if (name == "open_files") return result = fill(opens), true;
  if (name == "eat_memory_in_a_child") {
    const pid_t child = fork();
    if (child == 0) eat_memory();
    int status = 0;
    waitpid(child, &status, 0);
    return result = std::to_string(status), true;
  }
  if (name == "print_noise") return result = noise(), true;
  if (name == "return_much") return result = "\"" + std::string(static_cast<std::size_t>(event["size"].integer), 'x') + "\"", true;
  if (name == "return_deeply") {
    const auto depth = static_cast<std::size_t>(event["depth"].integer) + 1;
    return result = std::string(depth, '[') + std::string(depth, ']'), true;
  }
  if (name == "shut_the_socket") {
    shutdown(kControl, SHUT_RDWR);
    if (event["then"].text == "wait") rest();
    return true;
  }
  if (name == "take_the_question") {
    if (fork() == 0)
      for (char taken[65536];;) (void)!read(kControl, taken, sizeof taken);
    return result = "\"left a reader\"", true;
  }
  if (name == "leave_process") return leave_process(event["answers"].integer != 0), result = "\"left a process\"", true;
  if (name == "leave_thread") return leave_threads(), result = "\"left threads\"", true;
  if (name == "poison") return poison(), result = "\"poisoned\"", true;
  for (const char* other : {"fill_disks", "fill_inodes", "frames", "write_frame", "send_descriptors", "ask_for_more", "flood_the_ai_endpoint"})
    if (name == other) return result = with_python(name, text, true), true;
  return false;
}
