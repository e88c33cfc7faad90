#include "worker/instances/instance_state.h"

#include <algorithm>

#include "telemetry/log.h"

namespace infra::worker {
namespace {

constexpr State state_after(InstanceState::CallEnd how) {
  switch (how) {
    case InstanceState::CallEnd::reusable:
      return State::idle;
    case InstanceState::CallEnd::unfit:
      return State::unfit;
    case InstanceState::CallEnd::interrupted:
      return State::interrupted;
  }
  return State::unfit;
}

}  // namespace

std::string_view to_string(State state) {
  switch (state) {
    case State::fresh:
      return "fresh";
    case State::calling:
      return "calling";
    case State::idle:
      return "idle";
    case State::trimming:
      return "trimming";
    case State::frozen:
      return "frozen";
    case State::unfit:
      return "unfit";
    case State::interrupted:
      return "interrupted";
    case State::ended:
      return "ended";
  }
  return "unknown";
}

bool InstanceState::can_be_called() const {
  return state_ == State::fresh || state_ == State::idle || state_ == State::trimming || state_ == State::frozen;
}

InstanceState::Found InstanceState::begin_call() {
  const Found found{.cold = state_ == State::fresh, .first = calls_ == 0, .frozen = state_ == State::frozen};
  step({State::fresh, State::idle, State::trimming, State::frozen}, State::calling);
  ++calls_;
  return found;
}

void InstanceState::begin_load() {
  step({State::fresh}, State::calling);
}

void InstanceState::end_call(CallEnd how) {
  step({State::calling}, state_after(how));
}

void InstanceState::trim() {
  step({State::idle}, State::trimming);
}

void InstanceState::freeze() {
  step({State::trimming}, State::frozen);
}

void InstanceState::end() {
  step({State::fresh, State::idle, State::trimming, State::frozen, State::unfit, State::interrupted}, State::ended);
}

void InstanceState::step(std::initializer_list<State> from, State to) {
  if (std::ranges::find(from, state_) == from.end()) {
    log::fatal("an instance was to take a step that its state does not allow",
               {{"state", to_string(state_)}, {"next", to_string(to)}});
  }
  state_ = to;
}

}  // namespace infra::worker
