// The stores' contracts, with SQLite on a simulated disk: without faults it is one like any other.
#include <filesystem>

#include "adapters/sqlite/sqlite_function_store.h"
#include "adapters/sqlite/sqlite_job_queue.h"
#include "adapters/sqlite/sqlite_log_store.h"
#include "adapters/sqlite/sqlite_result_bus.h"
#include "adapters/sqlite/sqlite_run_recorder.h"
#include "contract/embedded_world.h"
#include "contract/function_store_contract.h"
#include "contract/local_job_queue_contract.h"
#include "contract/log_store_contract.h"
#include "contract/result_bus_contract.h"
#include "contract/run_recorder_contract.h"
#include "platform/disk/simulated_disk.h"

namespace infra {
namespace {

// Below the folder that tests have theirs in.
class DiskBelowAll {
 protected:
  sim::SimulatedDisk disk_{std::filesystem::temp_directory_path(), sim::Dice(1)};
};

// Two threads a world, and more for what blocks: the disk is called by several at once here.
class OnSimulatedDisk : private DiskBelowAll, public EmbeddedWorld {};

class Functions : public OnSimulatedDisk {
 public:
  SqliteFunctionStore& functions() { return store_; }

 private:
  SqliteFunctionStore store_{*database};
};

class Queue : public OnSimulatedDisk {
 public:
  Queue() : queue_(std::move(SqliteJobQueue::open(*database, {}).value())) {}
  SqliteJobQueue& queue() { return *queue_; }

 private:
  std::unique_ptr<SqliteJobQueue> queue_;
};

class Bus : public OnSimulatedDisk {
 public:
  static constexpr milliseconds kSlack{0};
  static constexpr bool kKeepsAsyncLonger = false;
  SqliteResultBus& bus() { return bus_; }

 private:
  SqliteResultBus bus_{*database};
};

class Records : public OnSimulatedDisk {
 public:
  SqliteFunctionStore& functions() { return functions_; }
  SqliteLogStore& logs() { return logs_; }
  SqliteRunRecorder& recorder() { return recorder_; }

 private:
  SqliteFunctionStore functions_{*database};
  SqliteLogStore logs_{*database};
  SqliteRunRecorder recorder_{*database, functions_};
};

INSTANTIATE_TYPED_TEST_SUITE_P(SimulatedDisk, FunctionStoreContract, Functions);
INSTANTIATE_TYPED_TEST_SUITE_P(SimulatedDisk, JobQueueContract, Queue);
INSTANTIATE_TYPED_TEST_SUITE_P(SimulatedDisk, LocalJobQueueContract, Queue);
INSTANTIATE_TYPED_TEST_SUITE_P(SimulatedDisk, LogStoreContract, Records);
INSTANTIATE_TYPED_TEST_SUITE_P(SimulatedDisk, ResultBusContract, Bus);
INSTANTIATE_TYPED_TEST_SUITE_P(SimulatedDisk, RunRecorderContract, Records);

}  // namespace
}  // namespace infra
