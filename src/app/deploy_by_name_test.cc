// Names as their sequences keep them: one function a name, whatever breaks off and whoever comes between.
#include "app/deploy_by_name.h"

#include <fmt/format.h>

#include "app/test_names.h"

namespace infra::app {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class DeployByNameTest : public NamesTest {
 protected:
  // Carries `change` out with each number of writes that it may do, until it does them all; `check` after each cut.
  // Then without a bound once more: the next try ends what was begun.
  void cut_everywhere(const std::function<bool()>& prepare, const std::function<bool()>& change,
                      const std::function<void()>& check, const std::function<void()>& check_end, int least_writes) {
    for (const bool answer_lost : {false, true}) {
      bool whole = false;
      int writes = answer_lost ? 1 : 0;
      for (; !whole; ++writes) {
        SCOPED_TRACE(fmt::format("cut after {} writes{}", writes, answer_lost ? ", the last one unheard" : ""));
        ASSERT_LT(writes, 20);
        functions_.rows.clear();
        configuration_.items.clear();
        budget_ = {};
        ASSERT_TRUE(prepare());
        budget_ = {.left = writes, .answer_lost = answer_lost};
        whole = change();
        budget_ = {};
        check();
        static_cast<void>(change());
        check_end();
        expect_no_two_have("a");
        expect_no_two_have("b");
      }
      EXPECT_GT(writes, least_writes);
    }
  }
  // That the name is one function's at most follows from there being one claim; here, that a row which was never
  // told of does not stay behind under it.
  void expect_no_two_have(const std::string& name) {
    int rows = 0;
    for (const auto& [id, row] : functions_.rows) rows += row.name == name ? 1 : 0;
    EXPECT_LE(rows, 1) << name;
  }
};

TEST_F(DeployByNameTest, MakesAndThenReplaces) {
  const auto made = deploy("resize", "one");
  ASSERT_TRUE(made);
  EXPECT_TRUE(made->created);
  EXPECT_EQ(id_of("resize"), made->function.id.value);
  auto more = wanted("resize");
  more.given.set(&FunctionSettings::memory_mb, 512);
  more.memory_mb = 512;
  ASSERT_TRUE(run_task(by_name_.deploy(more, std::make_unique<Bundle>("two"))));
  const auto replaced = deploy("resize", "three");
  ASSERT_TRUE(replaced);
  EXPECT_FALSE(replaced->created);
  EXPECT_EQ(replaced->function.id, made->function.id);
  EXPECT_EQ(replaced->function.code.sha256, "three");
  const Function& row = functions_.rows.at(made->function.id);
  EXPECT_EQ(row.memory_mb, 512) << "what the last upload does not name stays";
  EXPECT_EQ(row.code.sha256, "three");
  EXPECT_EQ(functions_.rows.size(), 1U);
  EXPECT_THAT(code_.retired, ::testing::ElementsAre("one", "two"));
}

TEST_F(DeployByNameTest, TheRuntimeOfAFunctionStays) {
  ASSERT_TRUE(deploy("a"));
  auto other = wanted("a");
  other.runtime = Runtime::nodejs;
  EXPECT_TRUE(run_task(by_name_.deploy(other, std::make_unique<Bundle>("x")))) << "not given: the function's own";
  other.given.set(&FunctionSettings::runtime, Runtime::nodejs);
  const auto refused = run_task(by_name_.deploy(other, std::make_unique<Bundle>("x")));
  EXPECT_EQ(refused.error().code, "invalid_runtime");
  EXPECT_THAT(refused.error().message, HasSubstr("python"));
}

TEST_F(DeployByNameTest, ANameThatCannotBeClaimedIsRefusedWithAProposal) {
  const auto refused = deploy("my function");
  EXPECT_EQ(refused.error().code, "invalid_name");
  EXPECT_THAT(refused.error().message, HasSubstr("\"my-function\""));
  EXPECT_THAT(journal_.calls, IsEmpty());
}

TEST_F(DeployByNameTest, FreeTextNamesAreNobodysConcern) {
  const FunctionId plain = add_plain("f", "a");
  const auto made = deploy("a");
  ASSERT_TRUE(made);
  EXPECT_NE(made->function.id, plain);
  EXPECT_EQ(id_of("a"), made->function.id.value);
  EXPECT_TRUE(rename(plain, "any text: a")) << "it has no claim";
  EXPECT_TRUE(rename(plain, "a"));
  EXPECT_EQ(id_of("a"), made->function.id.value);
  EXPECT_TRUE(remove(plain));
  EXPECT_EQ(id_of("a"), made->function.id.value);
}

TEST_F(DeployByNameTest, ANewNameMovesTheClaim) {
  const auto a = deploy("a");
  const auto b = deploy("b");
  EXPECT_EQ(rename(a->function.id, "b").error().code, "name_taken");
  EXPECT_EQ(rename(a->function.id, "no name").error().code, "invalid_name");
  EXPECT_EQ(id_of("a"), a->function.id.value);
  EXPECT_TRUE(rename(a->function.id, "a"));
  ASSERT_TRUE(rename(a->function.id, "c"));
  EXPECT_EQ(id_of("a"), "name_not_found");
  EXPECT_EQ(id_of("c"), a->function.id.value);
  ASSERT_TRUE(rename(b->function.id, "a"));
  EXPECT_EQ(id_of("a"), b->function.id.value);
  EXPECT_EQ(configuration_.items.size(), 2U) << "what is left is dropped";
}

TEST_F(DeployByNameTest, AFunctionOfBeforeClaimsItsNameOrAnother) {
  const FunctionId plain = add_plain("f", "a");
  FunctionChange nothing;
  ASSERT_TRUE(run_task(by_name_.update(plain, nothing, nullptr, "", true)));
  EXPECT_EQ(id_of("a"), "f");
  const FunctionId other = add_plain("g", "a");
  EXPECT_EQ(run_task(by_name_.update(other, nothing, nullptr, "", true)).error().code, "name_taken");
  ASSERT_TRUE(rename(other, "b", true));
  EXPECT_EQ(id_of("b"), "g");
  EXPECT_FALSE(deploy("b")->created);
}

TEST_F(DeployByNameTest, DeletingFreesTheName) {
  const auto made = deploy("a");
  ASSERT_TRUE(remove(made->function.id));
  EXPECT_EQ(id_of("a"), "name_not_found");
  EXPECT_THAT(configuration_.items, IsEmpty());
  EXPECT_EQ(remove(made->function.id).error().kind, ErrorKind::not_found);
  EXPECT_TRUE(deploy("a")->created);
}

TEST_F(DeployByNameTest, AClaimWhoseRowIsGoneOrHasAnotherNameIsTakenOver) {
  const auto gone = deploy("a");
  functions_.rows.erase(gone->function.id);  // as a program does that knows no claims
  EXPECT_EQ(id_of("a"), "name_not_found");
  const auto renamed = deploy("a");
  ASSERT_TRUE(renamed->created);
  functions_.rows[renamed->function.id].name = "something else";
  EXPECT_EQ(id_of("a"), "name_not_found");
  const auto again = deploy("a");
  ASSERT_TRUE(again->created);
  EXPECT_EQ(id_of("a"), again->function.id.value);
}

TEST_F(DeployByNameTest, ADeploymentMayBreakOffAnywhere) {
  cut_everywhere([] { return true; }, [&] { return deploy("a").has_value(); },
                 [&] {
                   const bool visible = find("a").has_value();
                   EXPECT_EQ(visible, functions_.rows.size() == 1);
                 },
                 [&] {
                   EXPECT_TRUE(find("a"));
                   EXPECT_EQ(functions_.rows.size(), 1U);
                 },
                 3);
}

TEST_F(DeployByNameTest, AReplacementMayBreakOffAnywhere) {
  cut_everywhere([&] { return deploy("a", "old").has_value(); }, [&] { return deploy("a", "new").has_value(); },
                 [&] { ASSERT_TRUE(find("a")); }, [&] { EXPECT_EQ(find("a")->code.sha256, "new"); }, 1);
}

TEST_F(DeployByNameTest, ARenamingMayBreakOffAnywhere) {
  FunctionId id;
  cut_everywhere(
      [&] {
        id = deploy("a")->function.id;
        return true;
      },
      [&] { return rename(id, "b").has_value(); },
      [&] { EXPECT_NE(find("a").has_value(), find("b").has_value()) << "by one of the two, always"; },
      [&] {
        EXPECT_EQ(id_of("b"), id.value);
        EXPECT_TRUE(deploy("a")->created) << "what is left of the old claim is in nobody's way";
        EXPECT_EQ(id_of("b"), id.value);
      },
      3);
}

TEST_F(DeployByNameTest, ADeletionMayBreakOffAnywhere) {
  FunctionId id;
  cut_everywhere(
      [&] {
        id = deploy("a")->function.id;
        return true;
      },
      [&] { return remove(id).has_value(); }, [&] { EXPECT_EQ(find("a").has_value(), functions_.rows.contains(id)); },
      [&] {
        EXPECT_EQ(id_of("a"), "name_not_found");
        EXPECT_TRUE(deploy("a")->created);
      },
      1);
}

// Two changes, of which one comes between any two steps of the other. Whatever came of them, a function that was made
// by name is found by the name that its row has, and one that was told of is there.
TEST_F(DeployByNameTest, WhoeverComesBetweenNoFunctionLosesItsName) {
  FunctionId a;
  FunctionId b;
  using Change = std::function<bool()>;
  const std::vector<std::pair<const char*, Change>> changes = {
      {"deploy a", [&] { return deploy("a", "1").has_value(); }},
      {"deploy b", [&] { return deploy("b", "2").has_value(); }},
      {"deploy c", [&] { return deploy("c", "3").has_value(); }},
      {"rename a to b", [&] { return rename(a, "b").has_value(); }},
      {"rename a to c", [&] { return rename(a, "c").has_value(); }},
      {"rename b to c", [&] { return rename(b, "c").has_value(); }},
      {"remove a", [&] { return remove(a).has_value(); }},
      {"remove b", [&] { return remove(b).has_value(); }}};
  for (const bool left_over : {false, true}) {
    for (const auto& [slow_words, slow] : changes) {
      for (const auto& [quick_words, quick] : changes) {
        bool reached = true;
        for (int calls = 0; reached; ++calls) {
          SCOPED_TRACE(fmt::format("{}: {} before call {} of {}", left_over, quick_words, calls, slow_words));
          functions_.rows.clear();
          configuration_.items.clear();
          a = deploy("a", "0")->function.id;
          b = deploy("b", "0")->function.id;
          if (left_over) {  // a claim on c that nobody follows up
            const auto c = deploy("c", "0");
            functions_.rows.erase(c->function.id);
          }
          reached = false;
          budget_.calls_before_another = calls;
          budget_.another = [&] {
            reached = true;
            static_cast<void>(quick());
          };
          static_cast<void>(slow());
          budget_.another = {};
          for (const auto& [id, row] : functions_.rows) EXPECT_EQ(id_of(row.name), id.value) << row.name;
          EXPECT_TRUE(deploy("c"));
          EXPECT_TRUE(find("c"));
        }
      }
    }
  }
}

TEST_F(DeployByNameTest, WhoIsOvertakenReplacesWhatIsThereOrIsRefused) {
  budget_.calls_before_another = 2;  // the claim is read and put
  budget_.another = [&] { EXPECT_TRUE(deploy("a", "quick")->created); };
  const auto slow = deploy("a", "slow");
  ASSERT_TRUE(slow);
  EXPECT_FALSE(slow->created);
  EXPECT_EQ(functions_.rows.size(), 1U) << "the row that came too late is gone";
  EXPECT_EQ(find("a")->code.sha256, "slow");

  budget_.calls_before_another = 4;  // row and claim are read, the new name's claim is read and put
  budget_.another = [&] { EXPECT_TRUE(deploy("b")->created); };
  EXPECT_EQ(rename(slow->function.id, "b").error().code, "name_taken");
  EXPECT_EQ(id_of("a"), slow->function.id.value);
}

TEST_F(DeployByNameTest, WithoutTheTableAllButNamesWorks) {
  NameClaims none(nullptr, ids_);
  DeployByName plain(deploy_, none, functions_, clock_);
  const auto refused = run_task(plain.deploy(wanted("a"), std::make_unique<Bundle>("x")));
  EXPECT_EQ(refused.error().code, "configuration_absent");
  EXPECT_THAT(refused.error().message, HasSubstr("infra setup aws"));
  const FunctionId id = add_plain("f", "a");
  FunctionChange change;
  change.set(&FunctionSettings::name, "b");
  EXPECT_TRUE(run_task(plain.update(id, change, nullptr, "", false)));
  EXPECT_EQ(run_task(plain.update(id, change, nullptr, "", true)).error().code, "configuration_absent");
  EXPECT_TRUE(run_task(plain.remove(id)));
}

}  // namespace
}  // namespace infra::app
