// What the spawner does about locks on files: see shared_locks.h and lock_flood.h.
#include <utility>

#include "sandbox/spawner/spawner_process.h"

namespace infra::sandbox {

void SpawnerProcess::freeze(const SpawnerRequest& request) {
  Slot* slot = find(request.sandbox);
  if (slot == nullptr) return;
  const auto index = static_cast<std::size_t>(slot - slots_.data());
  const bool frozen = request.op == SpawnerOp::freeze;
  if (frozen != slot->frozen) awake_ += frozen ? -1 : 1;
  slot->frozen = frozen;
  cgroups_.freeze(static_cast<int>(index), frozen);
  if (frozen) suspects_.push_back(suspect(index, 0));
}

// Where one stands still, nobody who waits for the file could go on. One that runs a call by now lets go by itself, or
// is looked at when it is frozen again.
void SpawnerProcess::end_lock_holders() {
  for (const auto& [sandbox, many] : locks_.take()) {
    const Slot* slot = find(sandbox);
    if (slot == nullptr || !(many || slot->frozen)) continue;
    flood_is_looked_at_ = flood_is_looked_at_ && !many;
    kill(*slot);
  }
  if (!locks_.is_looking() && std::exchange(flood_is_looked_at_, false))
    flood_.put_off(std::chrono::steady_clock::now());
}

void SpawnerProcess::look_at_flood() {
  if (awake_ == 0 || locks_.is_looking() || !flood_.is_on(std::chrono::steady_clock::now())) return;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].state == State::running) suspects_.push_back(suspect(i, LockFlood::kMostOfOne));
  }
  flood_is_looked_at_ = true;
  locks_.look(suspects_);
}

SharedLocks::Suspect SpawnerProcess::suspect(std::size_t index, std::int64_t most) const {
  return {.sandbox = slots_[index].sandbox,
          .init = slots_[index].init_pid,
          .processes = cgroups_.join_files(static_cast<int>(index)).front(),
          .most = most};
}

}  // namespace infra::sandbox
