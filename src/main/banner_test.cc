// What a newcomer pastes has the port and the key that this program has.
#include "main/banner.h"

#include <gmock/gmock.h>

namespace infra {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Banner, WalksThroughAFirstFunction) {
  const auto text =
      walk_through({.port = 4321, .key = "the-key", .program = "/opt/infra", .examples = "/opt/examples"});
  EXPECT_THAT(text, HasSubstr("http://127.0.0.1:4321\n"));
  EXPECT_THAT(text, HasSubstr("browser for the dashboard; its key: the-key\n"));
  EXPECT_THAT(text, HasSubstr("export INFRA_URL=http://127.0.0.1:4321 INFRA_API_KEY=the-key\n"));
  EXPECT_THAT(text, HasSubstr("alias infra=/opt/infra\n"));
  EXPECT_THAT(text, HasSubstr("infra deploy /opt/examples/hello-python\n"));
  EXPECT_THAT(text, HasSubstr("http://127.0.0.1:4321/run\n"));
}

TEST(Banner, LeavesOutWhatIsNotNeeded) {
  const auto text =
      walk_through({.port = 80, .key = "k", .program = "infra", .examples = "", .command_line_knows = true});
  EXPECT_THAT(text, HasSubstr("export INFRA_API_KEY=k\n")) << "for curl";
  EXPECT_THAT(text, Not(HasSubstr("INFRA_URL")));
  EXPECT_THAT(text, Not(HasSubstr("alias")));
  EXPECT_THAT(text, HasSubstr("infra init python hello-python"));
  EXPECT_THAT(text, HasSubstr("Ctrl-C"));
}

}  // namespace
}  // namespace infra
