// A stack of its own on the same thread: what blocks in the program is suspended in a simulation, and goes on when its
// time has come.
#pragma once

#include <exception>
#include <functional>
#include <memory>

namespace infra::sim {

class Fiber {
 public:
  using Body = std::move_only_function<void()>;

  explicit Fiber(Body body);
  // It has ended, or has not begun: its stack can't be taken from it.
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // Runs it until it suspends or ends; not from a fiber. What leaves the body is rethrown here.
  void resume();
  // Of the fiber that runs.
  static void suspend();
  // Null on the thread's own stack.
  [[nodiscard]] static Fiber* current();

  [[nodiscard]] bool begun() const;
  [[nodiscard]] bool ended() const;

 private:
  struct State;
  static void enter();
  std::unique_ptr<State> state_;
};

}  // namespace infra::sim
