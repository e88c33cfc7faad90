// The jobs that wait to be handed out: a line a function, each in the order of their places, and whose turn it is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>

#include "adapters/memory/queued_job.h"
#include "core/job.h"
#include "ports/turns.h"

namespace infra {

// What is durable is an async job, what is in memory is one that a client waits for. Its owner guards it.
class ReadyJobs {
 public:
  ReadyJobs();
  // Tells `turns` of all that waits, and goes by it from now on; null: by nobody's.
  void attach(Turns* turns);

  void put(QueuedJob queued, const FunctionId& function);
  // The next whose turn it is, none if nobody has one now.
  [[nodiscard]] std::optional<QueuedJob> take();
  [[nodiscard]] bool has_turn() { return turns_->any(); }
  [[nodiscard]] std::size_t free_for_all() { return turns_->free_for_all(); }
  void drop_turn(const FunctionId& function) { turns_->drop(function); }
  // Out of the line without its turn; none if it is in no line.
  std::optional<QueuedJob> remove(std::int64_t seq);
  void keep_durable();  // from now on durable jobs stay where they are

  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t waiting(const FunctionId& function) const;

 private:
  using Places = std::map<std::int64_t, QueuedJob>;
  struct Line {
    std::shared_ptr<const FunctionId> function;
    Places clients;
    Places durable;
  };
  using Lines = std::unordered_map<FunctionId, Line>;
  QueuedJob extract(Lines::iterator line, Places& from, Places::iterator place);

  std::unique_ptr<Turns> in_turn_;  // while there is nobody who has slots
  Turns* turns_;
  Lines lines_;
  std::size_t size_ = 0;
  bool durable_stay_ = false;
};

}  // namespace infra
