// Reading what the kernel writes into control groups' files.
#include "sandbox/system/cgroup_files.h"

#include <gtest/gtest.h>

namespace infra::sandbox {
namespace {

TEST(CgroupFiles, FieldsAreSummedOverTheDevices) {
  constexpr std::string_view kIo =
      "8:0 rbytes=1459200 wbytes=314773504 rios=192 wios=353 dbytes=0 dios=0\n"
      "253:1 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=50331648 dios=3021\n"
      "7:0 \n";
  EXPECT_EQ(sum_cgroup_fields(kIo, "rbytes"), 1463296);
  EXPECT_EQ(sum_cgroup_fields(kIo, "dbytes"), 50331648);
  EXPECT_EQ(sum_cgroup_fields(kIo, "bytes"), 0);
  EXPECT_EQ(sum_cgroup_fields("", "rbytes"), 0);
}

}  // namespace
}  // namespace infra::sandbox
