#include "app/deploy_function.h"

#include "app/test_app.h"
#include "core/error_codes.h"

namespace infra::app {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class FakeBundle : public StagedFile {
 public:
  Task<Result<void>> append(std::span<const char>) override { co_return Result<void>{}; }
  Task<Result<void>> finish() override { co_return Result<void>{}; }
  [[nodiscard]] const std::filesystem::path& path() const override { return path_; }
  [[nodiscard]] std::uint64_t size() const override { return 1; }
  [[nodiscard]] const std::string& sha256() const override { return sha256_; }

 private:
  std::filesystem::path path_ = "staged";
  std::string sha256_ = "new";
};

class FakePreparer : public BundlePreparer {
 public:
  explicit FakePreparer(fakes::Journal& journal) : journal_(journal) {}
  Task<Result<void>> prepare(std::filesystem::path, std::string, Runtime, std::string) override {
    (void)journal_.note("preparer.prepare");
    if (!failure) co_return Result<void>{};
    co_return fail(*failure);
  }
  std::optional<Error> failure;

 private:
  fakes::Journal& journal_;
};

class NoEgress : public EgressCheck {
 public:
  Task<Result<void>> check_egress() override { co_return fail(errors::egress_unavailable, "There is no nft."); }
};

class DeployTest : public AppTest {
 protected:
  Result<Function> deploy_source(std::optional<Error> failure) {
    reader_.entries = {{.name = "main.cpp"}};
    preparer_.failure = std::move(failure);
    DeployFunction deploy(functions_, code_, reader_, executor_, clock_, ids_, events_, &preparer_);
    auto compiled = wanted();
    compiled.runtime = Runtime::cpp;
    return run_task(deploy.create(compiled, std::make_unique<FakeBundle>()));
  }

  static NewFunction wanted() {
    NewFunction wanted;
    wanted.name = "n";
    return wanted;
  }

  fakes::FakeReader reader_;
  FakePreparer preparer_{journal_};
  DeployFunction deploy_{functions_, code_, reader_, executor_, clock_, ids_, events_};
};

TEST_F(DeployTest, AnObserverIsToldOfEveryChangeThatHolds) {
  fakes::FakeObserver observer(&Function::memory_mb);
  DeployFunction deploy(functions_, code_, reader_, executor_, clock_, ids_, events_, nullptr, nullptr, &observer);
  const auto created = run_task(deploy.create(wanted(), std::make_unique<FakeBundle>()));
  ASSERT_TRUE(created);
  FunctionChange change;
  change.set(&FunctionSettings::memory_mb, 512);
  ASSERT_TRUE(run_task(deploy.update(created->id, change, nullptr)));
  ASSERT_TRUE(run_task(deploy.remove(created->id)));
  EXPECT_FALSE(run_task(deploy.update(created->id, change, nullptr)));
  EXPECT_FALSE(run_task(deploy.remove(created->id)));
  const std::string id = created->id.value;
  EXPECT_THAT(observer.told, ElementsAre(id + " 128", id + " 512", id + " is gone"));
  EXPECT_THAT(told(), ElementsAre("Function Deleted", "Function Updated", "Upload Success"));
  for (const auto& event : events_.newest_first()) EXPECT_EQ(event.function, id);
}

TEST_F(DeployTest, EgressIsRefusedWhereThereIsNone) {
  NoEgress none;
  DeployFunction deploy(functions_, code_, reader_, executor_, clock_, ids_, events_, nullptr, &none);
  auto with_egress = wanted();
  with_egress.network = Network::egress;
  const auto refused = run_task(deploy.create(with_egress, std::make_unique<FakeBundle>()));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "egress_unavailable");
  const auto created = run_task(deploy.create(wanted(), std::make_unique<FakeBundle>()));
  ASSERT_TRUE(created);
  FunctionChange change;
  change.set(&FunctionSettings::network, Network::egress);
  EXPECT_FALSE(run_task(deploy.update(created->id, change, nullptr)));
  change.set(&FunctionSettings::network, Network::none);
  EXPECT_TRUE(run_task(deploy.update(created->id, change, nullptr)));
}

TEST_F(DeployTest, StoresTheBundleBeforeTheRowNamesIt) {
  const auto created = run_task(deploy_.create(wanted(), std::make_unique<FakeBundle>()));
  ASSERT_TRUE(created);
  EXPECT_THAT(journal_.calls, ElementsAre("code.put_bundle", "functions.insert"));
  EXPECT_EQ(functions_.rows.at(created->id).code.sha256, "new");
}

TEST_F(DeployTest, RefusedBundleTouchesNothing) {
  reader_.entries = {{.name = "other.py"}};
  EXPECT_EQ(run_task(deploy_.create(wanted(), std::make_unique<FakeBundle>())).error().code, "bundle_entry_missing");
  EXPECT_THAT(journal_.calls, IsEmpty());
}

TEST_F(DeployTest, ReadyBinaryThatCannotRunHereTouchesNothing) {
  reader_.entries = {{.name = "main"}};
  reader_.program = "#!/bin/sh";
  auto compiled = wanted();
  compiled.runtime = Runtime::go;
  const auto created = run_task(deploy_.create(compiled, std::make_unique<FakeBundle>()));
  EXPECT_EQ(created.error().code, "invalid_executable");
  EXPECT_THAT(journal_.calls, IsEmpty());
}

TEST_F(DeployTest, SourceIsCompiledBeforeItIsStored) {
  ASSERT_TRUE(deploy_source(std::nullopt));
  EXPECT_THAT(journal_.calls, ElementsAre("preparer.prepare", "code.put_bundle", "functions.insert"));
}

TEST_F(DeployTest, SourceThatDoesNotCompileIsNotStored) {
  const auto created = deploy_source(Error{errors::compile_error, "main.cpp:1: error"});
  EXPECT_EQ(created.error().message, "main.cpp:1: error");
  EXPECT_THAT(journal_.calls, ElementsAre("preparer.prepare"));
}

TEST_F(DeployTest, SourceIsStoredWhereNoCompilerIsAtHand) {
  EXPECT_TRUE(deploy_source(Error{errors::compiler_missing, "No g++."}));
}

TEST_F(DeployTest, ScriptsAreUnpackedBeforeTheyAreStored) {
  DeployFunction deploy(functions_, code_, reader_, executor_, clock_, ids_, events_, &preparer_);
  ASSERT_TRUE(run_task(deploy.create(wanted(), std::make_unique<FakeBundle>())));
  EXPECT_THAT(journal_.calls, ElementsAre("preparer.prepare", "code.put_bundle", "functions.insert"));
}

TEST_F(DeployTest, BundleWhoseRowCannotBeWrittenIsRetired) {
  journal_.failing = "functions.insert";
  EXPECT_FALSE(run_task(deploy_.create(wanted(), std::make_unique<FakeBundle>())));
  EXPECT_THAT(code_.retired, ElementsAre("new"));
}

// A store that fails may have written the row before its answer was lost.
TEST_F(DeployTest, BundleWhoseRowWasWrittenAllTheSameStays) {
  journal_.failing_after = "functions.insert";
  const auto created = run_task(deploy_.create(wanted(), std::make_unique<FakeBundle>()));
  ASSERT_TRUE(created);
  EXPECT_TRUE(functions_.rows.contains(created->id));
  journal_.failing_after = "functions.update";
  ASSERT_TRUE(run_task(deploy_.update({"f"}, {}, std::make_unique<FakeBundle>())));
  EXPECT_THAT(code_.retired, ElementsAre("old"));
}

TEST_F(DeployTest, BundleWhoseRowNobodyCanTellOfStays) {
  journal_.failing = "functions.insert";
  journal_.also_failing = "functions.find";
  EXPECT_FALSE(run_task(deploy_.create(wanted(), std::make_unique<FakeBundle>())));
  EXPECT_THAT(code_.retired, IsEmpty());
}

TEST_F(DeployTest, BundleWhoseRowMayYetBeWrittenStays) {
  DeployFunction deploy(functions_, code_, reader_, executor_, clock_, ids_, events_, nullptr, nullptr, nullptr,
                        std::chrono::minutes(1));
  journal_.failing = "functions.update";
  EXPECT_FALSE(run_task(deploy.update({"f"}, {}, std::make_unique<FakeBundle>())));
  EXPECT_THAT(code_.retired, IsEmpty());
}

TEST_F(DeployTest, UpdateRetiresTheOldCodeAfterTheRowHasChanged) {
  ASSERT_TRUE(run_task(deploy_.update({"f"}, {}, std::make_unique<FakeBundle>())));
  EXPECT_THAT(journal_.calls,
              ElementsAre("functions.find", "code.put_bundle", "functions.update", "code.retire_bundle"));
  EXPECT_THAT(code_.retired, ElementsAre("old"));
  EXPECT_EQ(functions_.rows.at({"f"}).code.sha256, "new");
}

TEST_F(DeployTest, UpdateOfAFunctionThatVanishedMeanwhileRetiresTheNewCode) {
  journal_.failing = "functions.update";
  EXPECT_FALSE(run_task(deploy_.update({"f"}, {}, std::make_unique<FakeBundle>())));
  EXPECT_THAT(code_.retired, ElementsAre("new"));
}

TEST_F(DeployTest, RemoveRetiresTheCode) {
  ASSERT_TRUE(run_task(deploy_.remove({"f"})));
  EXPECT_THAT(code_.retired, ElementsAre("old"));
  EXPECT_EQ(run_task(deploy_.remove({"f"})).error().kind, ErrorKind::not_found);
}

}  // namespace
}  // namespace infra::app
