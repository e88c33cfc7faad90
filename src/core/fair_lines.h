// Whose run is next: a line a function, served by deficit round robin, and a few slots that a busy function can't take.
// A run is charged with the slot time that it really took: until then with what its function's runs took before it.
// Pure bookkeeping: it knows no clock and none of the jobs, only how many wait.
#pragma once

#include <boost/intrusive/list.hpp>
#include <chrono>
#include <cstddef>
#include <optional>
#include <unordered_map>

#include "core/ids.h"
#include "core/job.h"

namespace infra {

// How many runs there may be at once, and for whom.
struct SlotShares {
  int common = 1;     // for anybody
  int newcomers = 0;  // more, for functions that have nothing running
  int clients = 0;    // more, for runs that a client waits for

  // The last eighth is the newcomers', two at least, and one the clients'; but of fewer than eight slots half is
  // common.
  [[nodiscard]] static SlotShares of(int slots);
  [[nodiscard]] int all() const { return common + newcomers + clients; }
};

// Each step takes constant time (a visit to a function in debt is paid by the slot time that it is in debt for).
class FairLines {
 public:
  using SlotTime = std::chrono::microseconds;
  static constexpr SlotTime kQuantum{250'000};  // what a function may use before the next one's turn

  struct Turn {
    FunctionId function;
    bool client = false;  // in the clients' slot: only a run that a client waits for
  };

  explicit FairLines(SlotShares slots) : slots_(slots) {}
  FairLines(const FairLines&) = delete;
  FairLines& operator=(const FairLines&) = delete;

  // One more run waits.
  void join(const FunctionId& function, RunMode mode);
  void withdraw(const FunctionId& function, RunMode mode, std::size_t count = 1);  // without having had its turn

  // Whose turn it is; none if nobody waits for whom there is a slot.
  [[nodiscard]] std::optional<Turn> next();
  void begin(const Turn& turn);
  // It turned out that a client waits for the run that was begun in a slot for anybody.
  void note_client(const FunctionId& function);
  // Begins a run that was in no line. False if there is no slot for it now.
  [[nodiscard]] bool begin_now(const FunctionId& function, RunMode mode);
  // One of its runs gave its slot back, or never used it (nothing).
  void end(const FunctionId& function, SlotTime used);

  // Its line stands still until it is released.
  void hold(const FunctionId& function);
  void release(const FunctionId& function);

  [[nodiscard]] int running() const { return beside_ + clients_running_; }
  [[nodiscard]] int free_slots() const { return slots_.all() - running(); }
  [[nodiscard]] int free_common() const { return slots_.common > beside_ ? slots_.common - beside_ : 0; }
  [[nodiscard]] std::size_t waiting() const { return waiting_; }  // of all lines, those that stand still included
  [[nodiscard]] std::size_t functions() const { return lines_.size(); }  // that wait or run

 private:
  struct Waiting;
  struct Fresh;
  struct Clients;
  template <typename Tag>
  using Hook = boost::intrusive::list_base_hook<boost::intrusive::tag<Tag>,
                                                boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;
  struct Line : Hook<Waiting>, Hook<Fresh>, Hook<Clients> {
    FunctionId function;
    std::size_t waiting = 0;
    std::size_t clients = 0;  // of those, who is waited for
    int running = 0;
    int clients_running = 0;  // in the clients' slots
    bool held = false;
    // Until its quantum is used it has its turn: among all, and among those that have nothing running.
    bool in_turn = false;
    bool in_fresh_turn = false;
    SlotTime debt{};      // used beyond its share, those that run counted as expected
    SlotTime expected{};  // of one run
    SlotTime prepaid{};   // what those that run were charged
  };
  template <typename Tag>
  using Ring =
      boost::intrusive::list<Line, boost::intrusive::base_hook<Hook<Tag>>, boost::intrusive::constant_time_size<false>>;

  [[nodiscard]] Line& line_of(const FunctionId& function);
  void charge_start(Line& line);
  void arrange(Line& line);  // into the rings that it belongs to now, or away if nothing is left of it
  template <typename Tag>
  [[nodiscard]] Line& first_out_of_debt(Ring<Tag>& ring, bool Line::* in_turn);
  template <typename Tag>
  static void place(Line& line, Ring<Tag>& ring, bool belongs, bool Line::* in_turn = nullptr);

  const SlotShares slots_;
  std::unordered_map<FunctionId, Line> lines_;
  Ring<Waiting> all_;  // who waits; a function keeps its place while it does
  Ring<Fresh> fresh_;  // of those, who has nothing running: first of all
  Ring<Clients> for_clients_;
  int beside_ = 0;  // running in slots that are not the clients'
  int clients_running_ = 0;
  std::size_t waiting_ = 0;
};

}  // namespace infra
