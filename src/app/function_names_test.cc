// Finding by name: what is known by heart costs no read, and never outlives its row.
#include "app/function_names.h"

#include "app/test_names.h"

namespace infra::app {
namespace {

class FunctionNamesTest : public NamesTest {
 protected:
  std::string known(const std::string& name) {
    const auto found = run_task(names_.find(name));
    return found ? found->id.value : found.error().code;
  }
};

TEST_F(FunctionNamesTest, ANameThatIsKnownIsNotReadAgain) {
  const auto made = deploy("a");
  ASSERT_TRUE(made);
  EXPECT_EQ(known("a"), made->function.id.value);
  const int reads = configuration_.reads;
  journal_.calls.clear();
  EXPECT_EQ(known("a"), made->function.id.value);
  EXPECT_EQ(configuration_.reads, reads);
  EXPECT_THAT(journal_.calls, ::testing::ElementsAre("functions.find")) << "as a run by id does";
  clock_.advance(FunctionNames::kTrusted);
  EXPECT_EQ(known("a"), made->function.id.value);
  EXPECT_EQ(configuration_.reads, reads + 1);
}

TEST_F(FunctionNamesTest, WhatAnotherProgramChangedIsSeenWithItsRow) {
  const auto made = deploy("a");
  ASSERT_EQ(known("a"), made->function.id.value);
  ASSERT_TRUE(remove(made->function.id));
  EXPECT_EQ(known("a"), "name_not_found");
  const auto again = deploy("a");
  EXPECT_EQ(known("a"), again->function.id.value);
  EXPECT_NE(again->function.id, made->function.id);
  ASSERT_TRUE(rename(again->function.id, "b"));
  EXPECT_EQ(known("a"), "name_not_found");
  EXPECT_EQ(known("b"), again->function.id.value);
}

TEST_F(FunctionNamesTest, AFreeTextNameIsFoundByNobody) {
  add_plain("f", "a");
  EXPECT_EQ(known("a"), "name_not_found");
  EXPECT_EQ(known(""), "name_not_found");
  EXPECT_EQ(known(std::string(1000, 'x')), "name_not_found");
  EXPECT_EQ(configuration_.reads, 1) << "what can't be claimed is not looked for";
}

TEST_F(FunctionNamesTest, WhatFailsIsToldAsItIs) {
  const auto made = deploy("a");
  ASSERT_EQ(known("a"), made->function.id.value);
  journal_.failing = "functions.find";
  EXPECT_EQ(known("a"), "engine_unavailable") << "no such name would be untrue";
  NameClaims none(nullptr, ids_);
  FunctionNames names(none, functions_, clock_);
  const auto found = run_task(names.find("a"));
  EXPECT_EQ(found.error().kind, ErrorKind::not_set_up);
}

}  // namespace
}  // namespace infra::app
