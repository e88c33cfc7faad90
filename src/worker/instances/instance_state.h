// Where an instance is in its life, and the steps from there.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>

namespace infra::worker {

enum class State : std::uint8_t {
  fresh,        // its runner is ready, and has loaded nothing
  calling,      // a call is made, or the code is loaded for one
  idle,         // waits for its next call
  trimming,     // waits, and has been asked to give memory back
  frozen,       // waits, and its processes stand still
  unfit,        // the last call has spoiled it for another
  interrupted,  // the last call was cut off
  ended,        // its processes are gone
};

[[nodiscard]] std::string_view to_string(State state);

//                ┌──────────────────────────────────────────┐
//   fresh ──▶ calling ──▶ idle ──▶ trimming ──▶ frozen ─────┘   idle and trimming ones are called, too
//                │
//                └──▶ unfit, interrupted                        all but a calling one can end
//
// A step that its state does not allow is a bug, and ends the program. Not for several threads at once.
class InstanceState {
 public:
  enum class CallEnd : std::uint8_t { reusable, unfit, interrupted };
  // The state in which a call finds it.
  struct Found {
    bool cold = false;   // nothing was loaded
    bool first = false;  // no call was made yet
    bool frozen = false;
  };

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] bool can_be_called() const;

  [[nodiscard]] Found begin_call();
  void begin_load();  // of the code, for a call to come: from `fresh` only
  void end_call(CallEnd how);
  void trim();
  void freeze();
  void end();

 private:
  void step(std::initializer_list<State> from, State to);

  State state_ = State::fresh;
  int calls_ = 0;
};

}  // namespace infra::worker
