#include "main/start_warnings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace infra {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> warned(Command command, const std::string& key, const std::string& address) {
  Config config;
  config.api_key = key;
  return start_warnings(command, config, address);
}

TEST(StartWarnings, AKeyThatIsShortIsNamedByItsLengthAlone) {
  const std::string fifteen(15, 'k');
  EXPECT_THAT(warned(Command::serve, fifteen + "k", "127.0.0.1"), IsEmpty());
  const auto warnings = warned(Command::serve, fifteen, "127.0.0.1");
  EXPECT_THAT(warnings, ElementsAre(HasSubstr("has 15 characters")));
  EXPECT_THAT(warnings[0], ::testing::Not(HasSubstr(fifteen)));
  EXPECT_THAT(warned(Command::worker, "", "127.0.0.1"), IsEmpty());
  EXPECT_THAT(warned(Command::worker, "short", "127.0.0.1"), ElementsAre(HasSubstr("INFRA_API_KEY")));
}

TEST(StartWarnings, AllAddressesWithoutTls) {
  const std::string key(kShortKey, 'k');
  for (const char* all : {"::", "0.0.0.0"})
    EXPECT_THAT(warned(Command::serve, key, all), ElementsAre(HasSubstr("without TLS"))) << all;
  for (const char* one : {"127.0.0.1", "::1", "192.0.2.7"}) EXPECT_THAT(warned(Command::serve, key, one), IsEmpty());
}

}  // namespace
}  // namespace infra
