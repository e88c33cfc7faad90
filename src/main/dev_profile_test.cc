#include "main/dev_profile.h"

#include <gtest/gtest.h>

namespace infra {
namespace {

TEST(LocalUrl, IsWhereAClientOnThisMachineFindsIt) {
  EXPECT_EQ(local_url("127.0.0.1", 8080, false), "http://127.0.0.1:8080");
  EXPECT_EQ(local_url("0.0.0.0", 1, false), "http://127.0.0.1:1");
  EXPECT_EQ(local_url("::", 1, true), "https://127.0.0.1:1");
  EXPECT_EQ(local_url("::1", 1, false), "http://[::1]:1");
}

}  // namespace
}  // namespace infra
