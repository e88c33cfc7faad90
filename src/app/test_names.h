// What the tests of names have in common: the use cases over stores that share a budget of writes.
#pragma once

#include <gmock/gmock.h>

#include <memory>
#include <string>

#include "app/deploy_by_name.h"
#include "app/function_names.h"
#include "support/fake_configuration.h"
#include "support/manual_clock.h"
#include "support/run_task.h"

namespace infra::app {

class NamesTest : public ::testing::Test {
 protected:
  class Bundle : public StagedFile {
   public:
    explicit Bundle(std::string sha256) : sha256_(std::move(sha256)) {}
    Task<Result<void>> append(std::span<const char>) override { co_return Result<void>{}; }
    Task<Result<void>> finish() override { co_return Result<void>{}; }
    [[nodiscard]] const std::filesystem::path& path() const override { return path_; }
    [[nodiscard]] std::uint64_t size() const override { return 1; }
    [[nodiscard]] const std::string& sha256() const override { return sha256_; }

   private:
    std::filesystem::path path_ = "staged";
    std::string sha256_;
  };

  static NewFunction wanted(const std::string& name) {
    NewFunction wanted;
    wanted.name = name;
    wanted.given.set(&FunctionSettings::name, name);
    return wanted;
  }
  Result<Deployed> deploy(const std::string& name, const std::string& code = "code") {
    return run_task(by_name_.deploy(wanted(name), std::make_unique<Bundle>(code)));
  }
  Result<void> rename(const FunctionId& id, const std::string& name, bool claim = false) {
    FunctionChange change;
    change.set(&FunctionSettings::name, name);
    return run_task(by_name_.update(id, change, nullptr, "", claim));
  }
  Result<void> remove(const FunctionId& id) { return run_task(by_name_.remove(id)); }
  // As a program finds it that knows nothing by heart.
  Result<Function> find(const std::string& name) {
    FunctionNames fresh(claims_, functions_, clock_);
    return run_task(fresh.find(name));
  }
  std::string id_of(const std::string& name) {
    const auto found = find(name);
    return found ? found->id.value : found.error().code;
  }
  // A function as a plain upload makes one.
  FunctionId add_plain(const std::string& id, const std::string& name) {
    Function function;
    function.id = {id};
    function.name = name;
    function.code = {.key = "functions/" + id + "/1.zip", .sha256 = "plain"};
    functions_.rows[function.id] = function;
    return function.id;
  }

  fakes::Journal journal_;
  fakes::WriteBudget budget_;
  ManualClock clock_;
  fakes::CountingRandom random_;
  fakes::InlineExecutor executor_;
  fakes::BudgetedFunctions functions_{journal_, budget_};
  fakes::FakeConfiguration configuration_{budget_};
  fakes::FakeCode code_{journal_};
  fakes::FakeReader reader_;
  IdSource ids_{clock_, random_};
  EventRing events_{UuidRandom{}, [this] { return clock_.now(); }};
  NameClaims claims_{&configuration_, ids_};
  FunctionNames names_{claims_, functions_, clock_};
  DeployFunction deploy_{functions_, code_, reader_, executor_, clock_, ids_, events_};
  DeployByName by_name_{deploy_, claims_, functions_, clock_};
};

}  // namespace infra::app
