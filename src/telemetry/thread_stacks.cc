#include "telemetry/thread_stacks.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <fmt/format.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string_view>
#include <thread>

namespace infra {
namespace {

constexpr int kAskForStack = SIGURG;  // nothing of ours sends it, and where no handler is, it is ignored
constexpr std::size_t kMostThreads = 1024;
constexpr std::size_t kMostFrames = 40;
constexpr std::size_t kLongestSymbol = 24;
constexpr std::chrono::milliseconds kPatience{200};

struct Slot {
  pid_t id = 0;
  std::array<void*, kMostFrames> frames{};
  std::atomic<int> count = 0;
};
struct Slots {
  std::array<Slot, kMostThreads> slots;
  std::size_t used = 0;
};
// Left to itself when it has been filled: a thread may answer late.
std::atomic<Slots*> asked = nullptr;

// In the thread that is asked, wherever it is: nothing here allocates.
void answer(int /*signal*/) {
  const int error = errno;
  Slots* const all = asked;
  const auto self = static_cast<pid_t>(::syscall(SYS_gettid));
  for (std::size_t i = 0; all != nullptr && i < all->used; ++i) {
    Slot& slot = all->slots[i];
    if (slot.id == self) slot.count = ::backtrace(slot.frames.data(), static_cast<int>(slot.frames.size()));
  }
  errno = error;
}

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

char state_of(pid_t thread) {
  const std::string stat = text_of(fmt::format("/proc/self/task/{}/stat", thread));
  const auto name_end = stat.rfind(')');
  return name_end + 2 < stat.size() ? stat[name_end + 2] : '?';
}

std::string frame_text(void* address) {
  Dl_info found{};
  if (::dladdr(address, &found) == 0 || found.dli_fname == nullptr) return fmt::format("{}", address);
  std::string_view file = found.dli_fname;
  file.remove_prefix(std::min(file.size(), file.rfind('/') + 1));
  const auto offset = reinterpret_cast<std::uintptr_t>(address) - reinterpret_cast<std::uintptr_t>(found.dli_fbase);
  const std::string_view symbol = found.dli_sname == nullptr ? "" : found.dli_sname;
  // A long one is a mangled name, which addr2line says better.
  if (symbol.empty() || symbol.size() > kLongestSymbol) return fmt::format("{}+{:#x}", file, offset);
  return fmt::format("{}+{:#x}({})", file, offset, symbol);
}

std::string frames_text(const Slot& slot) {
  std::string text;
  for (int i = 0; i < slot.count; ++i) {
    if (i > 0) text += ' ';
    text += frame_text(slot.frames.at(static_cast<std::size_t>(i)));
  }
  return text;
}

void ask(Slots& slots) {
  std::array<void*, 1> ready{};
  (void)::backtrace(ready.data(), 1);  // loads what it needs, which a handler may not
  asked = &slots;
  struct sigaction action{};
  action.sa_handler = answer;
  action.sa_flags = SA_RESTART;
  ::sigaction(kAskForStack, &action, nullptr);
  for (std::size_t i = 0; i < slots.used; ++i) ::syscall(SYS_tgkill, ::getpid(), slots.slots[i].id, kAskForStack);
  const auto until = std::chrono::steady_clock::now() + kPatience;
  for (std::size_t i = 0; i < slots.used; ++i) {
    while (slots.slots[i].count == 0 && std::chrono::steady_clock::now() < until)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

}  // namespace

QuietThreads::QuietThreads() {
  sigset_t all;
  sigfillset(&all);
  sigdelset(&all, kAskForStack);
  pthread_sigmask(SIG_SETMASK, &all, &previous_);
}

QuietThreads::~QuietThreads() {
  pthread_sigmask(SIG_SETMASK, &previous_, nullptr);
}

std::vector<ThreadStack> all_stacks() {
  auto* const slots = new Slots;  // NOLINT(cppcoreguidelines-owning-memory): see `asked`
  std::error_code error;
  for (std::filesystem::directory_iterator task("/proc/self/task", error), end; !error && task != end;
       task.increment(error)) {
    if (slots->used == kMostThreads) break;
    slots->slots[slots->used++].id = static_cast<pid_t>(std::strtol(task->path().filename().c_str(), nullptr, 10));
  }
  ask(*slots);
  std::vector<ThreadStack> stacks;
  for (std::size_t i = 0; i < slots->used; ++i) {
    const Slot& slot = slots->slots[i];
    std::string name = text_of(fmt::format("/proc/self/task/{}/comm", slot.id));
    if (name.ends_with('\n')) name.pop_back();
    stacks.push_back({.id = slot.id, .name = std::move(name), .state = state_of(slot.id), .frames = frames_text(slot)});
  }
  return stacks;
}

}  // namespace infra
