// Where every thread of the program stands: the last words of one that is stuck.
#pragma once

#include <sys/types.h>

#include <csignal>
#include <string>
#include <vector>

namespace infra {

// Threads that are started in its scope take no signals but the one by which they are asked for their stack.
class QuietThreads {
 public:
  QuietThreads();
  ~QuietThreads();
  QuietThreads(const QuietThreads&) = delete;
  QuietThreads& operator=(const QuietThreads&) = delete;

 private:
  sigset_t previous_{};
};

struct ThreadStack {
  pid_t id = 0;
  std::string name;
  char state = '?';    // as proc(5) has it: S sleeps, D waits for a device, R runs or could
  std::string frames;  // innermost first: "infra+0x1d2f3 libc.so.6+0x10e7b3(epoll_wait)"; empty if it did not say
};

// Asks each thread by a signal, and waits a moment for its answer. For one thread at a time.
[[nodiscard]] std::vector<ThreadStack> all_stacks();

}  // namespace infra
