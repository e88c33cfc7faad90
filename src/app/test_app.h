// What the use cases' tests have in common: fakes of all ports, and one function.
#pragma once

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "app/id_source.h"
#include "app/invoke_function.h"
#include "support/fake_ports.h"
#include "support/manual_clock.h"
#include "support/run_task.h"

namespace infra::app {

class AppTest : public ::testing::Test {
 protected:
  AppTest() {
    Function function;
    function.id = {"f"};
    function.code = {"functions/f/1.zip", "old"};
    function.memory_mb = 256;
    function.network = Network::egress;
    function.keep_warm = 2;
    functions_.rows[function.id] = function;
  }

  [[nodiscard]] std::vector<std::string> told() const {
    std::vector<std::string> messages;
    for (const auto& event : events_.newest_first()) messages.push_back(event.message);
    return messages;
  }

  Invocation invocation(RunMode mode) {
    return {.id = ids_.request_id(),
            .function = {"f"},
            .input = "{\"n\":1}",
            .model_id = "m",
            .mode = mode,
            .traceparent = "t"};
  }

  fakes::Journal journal_;
  ManualClock clock_;
  fakes::CountingRandom random_;
  fakes::InlineExecutor executor_;
  fakes::FakeFunctions functions_{journal_};
  fakes::FakeCode code_{journal_};
  fakes::FakeQueue queue_{journal_};
  fakes::FakeResults results_{journal_};
  fakes::FakeLogs logs_{journal_};
  fakes::FakeRecorder recorder_{journal_, logs_};
  IdSource ids_{clock_, random_};
  EventRing events_{UuidRandom{}, [this] { return clock_.now(); }};
  fakes::FakeLimiter limiter_{journal_};
  Metrics metrics_;
  InvokeFunction invoke_{
      functions_, queue_, results_, clock_, events_, metrics_, {.limiter = limiter_, .max_waiting = 2}};
};

}  // namespace infra::app
