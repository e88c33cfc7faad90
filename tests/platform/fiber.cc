#include "platform/fiber.h"

#include <cxxabi.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <utility>
#include <vector>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define INFRA_FIBER_ASAN 1
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if __has_feature(thread_sanitizer)
#define INFRA_FIBER_TSAN 1
#include <sanitizer/tsan_interface.h>
#endif
#endif

namespace infra::sim {
namespace {

#if defined(INFRA_FIBER_ASAN) || defined(INFRA_FIBER_TSAN)
constexpr std::size_t kStack = std::size_t{2} * 1024 * 1024;
#else
constexpr std::size_t kStack = std::size_t{256} * 1024;
#endif
constexpr std::size_t kGuard = 4096;

// Used again and again; the last one goes with the program.
class Stacks {
 public:
  ~Stacks() {
    for (char* stack : free_) ::munmap(stack, kGuard + kStack);
  }
  char* take() {
    if (free_.empty()) return make();
    char* stack = free_.back();
    free_.pop_back();
    return stack;
  }
  void give_back(char* stack) {
#ifdef INFRA_FIBER_ASAN
    __asan_unpoison_memory_region(stack + kGuard, kStack);
#endif
    free_.push_back(stack);
  }

 private:
  static char* make() {
    void* mapped = ::mmap(nullptr, kGuard + kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED || ::mprotect(mapped, kGuard, PROT_NONE) != 0)
      throw std::runtime_error("no memory for a fiber's stack");
    return static_cast<char*>(mapped);
  }
  std::vector<char*> free_;
};

Stacks& stacks() {
  static Stacks all;
  return all;
}

// The exceptions that are being handled are a thread's, as the C++ ABI has it (abi::__cxa_eh_globals).
struct Handled {
  std::array<char, 2 * sizeof(void*)> bytes{};
  void exchange() {
    std::array<char, 2 * sizeof(void*)> mine = bytes;
    void* globals = abi::__cxa_get_globals();
    std::memcpy(bytes.data(), globals, sizeof(void*) + sizeof(unsigned));
    std::memcpy(globals, mine.data(), sizeof(void*) + sizeof(unsigned));
  }
};

}  // namespace

struct Fiber::State {
  Body body;
  char* stack = nullptr;
  ucontext_t own{};
  ucontext_t caller{};
  bool begun = false;
  bool ended = false;
  std::exception_ptr thrown;
  Handled handled;
#ifdef INFRA_FIBER_ASAN
  const void* caller_stack = nullptr;
  std::size_t caller_size = 0;
  void* fake_stack = nullptr;
#endif
#ifdef INFRA_FIBER_TSAN
  void* own_tsan = nullptr;
  void* caller_tsan = nullptr;
#endif
};

namespace {

Fiber* running = nullptr;

}  // namespace

Fiber::Fiber(Body body) : state_(std::make_unique<State>()) {
  state_->body = std::move(body);
}

Fiber::~Fiber() {
  if (state_->begun && !state_->ended) {
    std::fputs("a fiber is destroyed that has not ended\n", stderr);
    std::abort();
  }
}

Fiber* Fiber::current() {
  return running;
}

bool Fiber::begun() const {
  return state_->begun;
}

bool Fiber::ended() const {
  return state_->ended;
}

void Fiber::enter() {
  State& state = *running->state_;
#ifdef INFRA_FIBER_ASAN
  __sanitizer_finish_switch_fiber(nullptr, &state.caller_stack, &state.caller_size);
#endif
  try {
    state.body();
  } catch (...) {
    state.thrown = std::current_exception();
  }
  state.body = nullptr;
  state.ended = true;
#ifdef INFRA_FIBER_ASAN
  __sanitizer_start_switch_fiber(nullptr, state.caller_stack, state.caller_size);
#endif
#ifdef INFRA_FIBER_TSAN
  __tsan_switch_to_fiber(state.caller_tsan, 0);
#endif
  ::setcontext(&state.caller);
}

void Fiber::resume() {
  State& state = *state_;
  if (running != nullptr || state.ended) std::abort();
  if (!state.begun) {
    state.begun = true;
    state.stack = stacks().take();
    ::getcontext(&state.own);
    state.own.uc_stack.ss_sp = state.stack + kGuard;
    state.own.uc_stack.ss_size = kStack;
    state.own.uc_link = nullptr;
    ::makecontext(&state.own, &Fiber::enter, 0);
#ifdef INFRA_FIBER_TSAN
    state.own_tsan = __tsan_create_fiber(0);
#endif
  }
  running = this;
  state.handled.exchange();
#ifdef INFRA_FIBER_ASAN
  void* fake_stack = nullptr;
  __sanitizer_start_switch_fiber(&fake_stack, state.stack + kGuard, kStack);
#endif
#ifdef INFRA_FIBER_TSAN
  state.caller_tsan = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(state.own_tsan, 0);
#endif
  ::swapcontext(&state.caller, &state.own);
#ifdef INFRA_FIBER_ASAN
  __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
#endif
  state.handled.exchange();
  running = nullptr;
  if (!state.ended) return;
#ifdef INFRA_FIBER_TSAN
  __tsan_destroy_fiber(state.own_tsan);
#endif
  stacks().give_back(std::exchange(state.stack, nullptr));
  if (state.thrown) std::rethrow_exception(std::exchange(state.thrown, nullptr));
}

void Fiber::suspend() {
  if (running == nullptr) std::abort();
  State& state = *running->state_;
#ifdef INFRA_FIBER_ASAN
  __sanitizer_start_switch_fiber(&state.fake_stack, state.caller_stack, state.caller_size);
#endif
#ifdef INFRA_FIBER_TSAN
  __tsan_switch_to_fiber(state.caller_tsan, 0);
#endif
  ::swapcontext(&state.own, &state.caller);
#ifdef INFRA_FIBER_ASAN
  __sanitizer_finish_switch_fiber(state.fake_stack, &state.caller_stack, &state.caller_size);
#endif
}

}  // namespace infra::sim
