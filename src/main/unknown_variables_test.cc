#include "main/unknown_variables.h"

#include <gmock/gmock.h>

namespace infra {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

TEST(UnknownVariables, NameTheOneThatWasMeant) {
  EXPECT_THAT(unknown_variables({{"INFRA_MAX_WAITNG", "7"}}),
              ElementsAre(AllOf(HasSubstr("INFRA_MAX_WAITNG"), HasSubstr("did you mean INFRA_MAX_WAITING?"))));
  EXPECT_THAT(unknown_variables({{"INFRA_IDLE_TIMEUOT_SECONDS", "60"}}),
              ElementsAre(HasSubstr("did you mean INFRA_IDLE_TIMEOUT_SECONDS?")));
  EXPECT_THAT(unknown_variables({{"INFRA_METRICS_PUBLIC", "1"}}),
              ElementsAre(HasSubstr("did you mean METRICS_PUBLIC?")));
}

TEST(UnknownVariables, GuessNothingFromAFarName) {
  EXPECT_THAT(unknown_variables({{"INFRA_COLOUR", "secret"}}),
              ElementsAre(AllOf(HasSubstr("INFRA_COLOUR"), HasSubstr("README.md"), Not(HasSubstr("mean")),
                                Not(HasSubstr("secret")))));
  EXPECT_THAT(unknown_variables({{"INFRA_" + std::string(100'000, 'A'), ""}}), ElementsAre(HasSubstr("INFRA_AAA")));
}

TEST(UnknownVariables, AreOursByTheirPrefixAlone) {
  EXPECT_THAT(unknown_variables({{"PATH", "/bin"}, {"RATE_LIMITS", "1"}, {"INFRA", ""}, {"INFRB_", ""}}), IsEmpty());
  EXPECT_THAT(unknown_variables({{"INFRA_MAX_WAITING", "7"}, {"INFRA_OPTIONS", "--address ::1"}}), IsEmpty());
  EXPECT_THAT(unknown_variables({{"INFRA_URL", "http://a"}, {"INFRA_PROFILE", "b"}}), IsEmpty());
}

}  // namespace
}  // namespace infra
