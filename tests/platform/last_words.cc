#include "platform/last_words.h"

#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <string_view>

namespace infra::sim {
namespace {

std::atomic<std::uint64_t> playing = 0;

// write() and nothing of the heap's. Then the process dies as it would have.
void tell(int signal) {
  std::array<char, 80> text{};
  std::size_t begin = text.size();
  const auto put = [&](std::string_view words) {
    for (auto letter = words.rbegin(); letter != words.rend(); ++letter) text.at(--begin) = *letter;
  };
  put("\n");
  std::uint64_t left = playing;
  do {
    text.at(--begin) = static_cast<char>('0' + (left % 10));
    left /= 10;
  } while (left > 0);
  put("the program dies; again: ./dev simulate --seed ");
  (void)!::write(STDERR_FILENO, text.data() + begin, text.size() - begin);
  (void)::signal(signal, SIG_DFL);
  (void)::raise(signal);
}

}  // namespace

void tell_last_words() {
  // A stack of its own: what dies may be a fiber that has used up its stack.
  static std::array<char, std::size_t{64} * 1024> stack;
  const stack_t other{.ss_sp = stack.data(), .ss_flags = 0, .ss_size = stack.size()};
  (void)::sigaltstack(&other, nullptr);
  struct sigaction action = {};
  action.sa_handler = tell;
  action.sa_flags = SA_ONSTACK | SA_NODEFER;
  for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP})
    (void)::sigaction(signal, &action, nullptr);
}

void note_seed(std::uint64_t seed) {
  playing = seed;
}

}  // namespace infra::sim
