// What the embedded engines stand on in the contract tests: real event loops, a clock that the test moves, and a folder
// of its own for infra.db.
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <future>
#include <memory>
#include <stdexcept>
#include <utility>

#include "adapters/sqlite/database.h"
#include "adapters/system/system_executor.h"
#include "contract/engine_world.h"
#include "net/loops/event_loops.h"
#include "support/manual_clock.h"
#include "support/temp_folder.h"

namespace infra {

// Keeps the writer thread inside a group from here to release(), so that nothing that is written meanwhile can be
// committed.
class HeldWriter {
 public:
  explicit HeldWriter(Database& database) {
    database.submit({.apply = [this](sqlite::Connection&) -> Result<void> {
                       held_.set_value();
                       release_.get_future().wait();
                       return {};
                     },
                     .settled = [](const Result<void>&) {}});
    held_.get_future().wait();
  }
  void release() { release_.set_value(); }

 private:
  std::promise<void> held_;
  std::promise<void> release_;
};

// A background's steps name times of the clock that the test moves: here they come in as much real time.
class WorldExecutor final : public SystemExecutor {
 public:
  WorldExecutor(net::EventLoops& loops, const Clock& clock) : SystemExecutor(loops), clock_(clock) {}
  std::unique_ptr<Background> background(const char* name, Background::Step step) override {
    return SystemExecutor::background(name, [this, step = std::move(step)] {
      const SteadyTime again = step();
      if (again == SteadyTime::max()) return again;
      return std::chrono::steady_clock::now() + (again - clock_.steady_now());
    });
  }

 private:
  const Clock& clock_;
};

class EmbeddedWorld : public EngineWorld {
 public:
  explicit EmbeddedWorld(std::size_t event_threads = 2) : loops(event_threads, 2), database(open(folder.path())) {}
  ~EmbeddedWorld() override { loops.stop(); }

  void run_void(Task<void> task) override { loops.run_blocking(std::move(task)); }
  void spawn(Task<void> task) override { loops.spawn("test", std::move(task)); }
  void advance(milliseconds step) override { clock.advance(step); }
  void await_sleepers(std::size_t count) override { clock.await_sleepers(count); }
  [[nodiscard]] WallTime now() const override { return clock.now(); }
  [[nodiscard]] SteadyTime deadline_in(milliseconds wait) const override { return clock.steady_now() + wait; }

  [[nodiscard]] std::unique_ptr<Database> open(const std::filesystem::path& data) {
    auto opened = Database::open(data / "infra.db", executor, clock);
    if (!opened) throw std::runtime_error(opened.error().message);
    return std::move(*opened);
  }

  // The files as they are at this moment, without a clean close: what a killed program leaves.
  void copy_files_to(const std::filesystem::path& target) const {
    for (const char* name : {"infra.db", "infra.db-wal"}) {
      if (std::filesystem::exists(folder.path() / name))
        std::filesystem::copy_file(folder.path() / name, target / name);
    }
  }

  testing::TempFolder folder;
  ManualClock clock;
  net::EventLoops loops;
  WorldExecutor executor{loops, clock};
  std::unique_ptr<Database> database;
};

}  // namespace infra
