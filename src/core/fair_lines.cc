#include "core/fair_lines.h"

#include <algorithm>
#include <iterator>

namespace infra {

SlotShares SlotShares::of(int slots) {
  const int newcomers = std::min(std::max(2, slots / 8), slots / 2);
  const int clients = slots > 4 ? 1 : 0;
  return {.common = std::max(1, slots - newcomers - clients), .newcomers = newcomers, .clients = clients};
}

FairLines::Line& FairLines::line_of(const FunctionId& function) {
  const auto [found, is_new] = lines_.try_emplace(function);
  if (is_new) found->second.function = function;
  return found->second;
}

void FairLines::join(const FunctionId& function, RunMode mode) {
  Line& line = line_of(function);
  ++waiting_;
  ++line.waiting;
  if (mode == RunMode::sync) ++line.clients;
  arrange(line);
}

void FairLines::withdraw(const FunctionId& function, RunMode mode, std::size_t count) {
  Line& line = line_of(function);
  waiting_ -= count;
  line.waiting -= count;
  if (mode == RunMode::sync) line.clients -= count;
  arrange(line);
}

std::optional<FairLines::Turn> FairLines::next() {
  if (!fresh_.empty() && beside_ < slots_.common + slots_.newcomers) {
    return Turn{first_out_of_debt(fresh_, &Line::in_fresh_turn).function};
  }
  if (!all_.empty() && beside_ < slots_.common) return Turn{first_out_of_debt(all_, &Line::in_turn).function};
  if (!for_clients_.empty() && clients_running_ < slots_.clients) return Turn{for_clients_.front().function, true};
  return std::nullopt;
}

// Each visit forgives a quantum, and who owes nothing then is served until it does. Who waits alone owes nobody
// anything.
template <typename Tag>
FairLines::Line& FairLines::first_out_of_debt(Ring<Tag>& ring, bool Line::* in_turn) {
  if (std::next(all_.begin()) == all_.end()) all_.front().debt = std::min(all_.front().debt, SlotTime{});
  const bool others = std::next(ring.begin()) != ring.end();
  while (true) {
    Line& line = ring.front();
    if (others && !(line.*in_turn) && line.debt > SlotTime{}) line.debt -= kQuantum;
    line.*in_turn = line.debt <= SlotTime{};
    if (line.*in_turn || !others) return line;
    ring.pop_front();
    ring.push_back(line);
  }
}

void FairLines::begin(const Turn& turn) {
  Line& line = line_of(turn.function);
  --waiting_;
  --line.waiting;
  if (turn.client) {
    --line.clients;
    ++line.clients_running;
    ++clients_running_;
    place(line, for_clients_, false);  // to the end
  } else {
    ++beside_;
  }
  charge_start(line);
}

void FairLines::note_client(const FunctionId& function) {
  Line& line = line_of(function);
  --line.clients;
  arrange(line);
}

bool FairLines::begin_now(const FunctionId& function, RunMode mode) {
  const auto known = lines_.find(function);
  const bool fresh = known == lines_.end() || known->second.running == 0;
  const bool held = known != lines_.end() && known->second.held;
  const int most = slots_.common + (fresh ? slots_.newcomers : 0);
  const bool as_client = beside_ >= most;
  if (held || (as_client && (mode != RunMode::sync || clients_running_ >= slots_.clients))) return false;
  Line& line = line_of(function);
  if (as_client) {
    ++line.clients_running;
    ++clients_running_;
  } else {
    ++beside_;
  }
  charge_start(line);
  return true;
}

void FairLines::charge_start(Line& line) {
  ++line.running;
  line.debt += line.expected;
  line.prepaid += line.expected;
  arrange(line);
}

// Which of the function's runs was in the clients' slot makes no difference to anybody.
void FairLines::end(const FunctionId& function, SlotTime used) {
  Line& line = line_of(function);
  const SlotTime charged = line.prepaid / line.running;
  line.prepaid -= charged;
  line.debt = std::max(line.debt + used - charged, -kQuantum);
  if (used > SlotTime{}) line.expected = line.expected == SlotTime{} ? used : (line.expected * 3 + used) / 4;
  --line.running;
  if (line.clients_running > 0) {
    --line.clients_running;
    --clients_running_;
  } else {
    --beside_;
  }
  arrange(line);
}

void FairLines::hold(const FunctionId& function) {
  Line& line = line_of(function);
  line.held = true;
  arrange(line);
}

void FairLines::release(const FunctionId& function) {
  Line& line = line_of(function);
  line.held = false;
  arrange(line);
}

// Who comes back while it has its turn comes to the front.
template <typename Tag>
void FairLines::place(Line& line, Ring<Tag>& ring, bool belongs, bool Line::* in_turn) {
  auto& hook = static_cast<Hook<Tag>&>(line);
  if (hook.is_linked() == belongs) return;
  if (!belongs) {
    hook.unlink();
    return;
  }
  const bool goes_on = in_turn != nullptr && line.*in_turn && line.debt <= SlotTime{};
  if (in_turn != nullptr) line.*in_turn = goes_on;
  goes_on ? ring.push_front(line) : ring.push_back(line);
}

void FairLines::arrange(Line& line) {
  const bool waits = line.waiting > 0 && !line.held;
  place(line, all_, waits, &Line::in_turn);
  place(line, fresh_, waits && line.running == 0, &Line::in_fresh_turn);
  place(line, for_clients_, waits && line.clients > 0);
  if (line.waiting == 0 && !line.held && line.running == 0) lines_.erase(lines_.find(line.function));
}

}  // namespace infra
