// What a newcomer pastes has the port and the key that this program has.
#include "main/banner.h"

#include <gmock/gmock.h>

namespace infra {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Banner, WalksThroughAFirstFunction) {
  const auto text = walk_through(4321, "the-key", "/opt/examples");
  EXPECT_THAT(text, HasSubstr("http://127.0.0.1:4321\n"));
  EXPECT_THAT(text, HasSubstr("export INFRA_API_KEY=the-key\n"));
  EXPECT_THAT(text, HasSubstr("(cd /opt/examples/hello-python && zip"));
  for (const char* route : {"/upload", "/run", "/functions/<functionId>/logs"}) {
    EXPECT_THAT(text, HasSubstr("http://127.0.0.1:4321" + std::string(route)));
  }
}

TEST(Banner, LeavesOutWhatIsNotAtHand) {
  const auto text = walk_through(80, "k", "");
  EXPECT_THAT(text, HasSubstr("export INFRA_API_KEY=k\n"));
  EXPECT_THAT(text, Not(HasSubstr("zip")));
  EXPECT_THAT(text, HasSubstr("Ctrl-C"));
}

}  // namespace
}  // namespace infra
