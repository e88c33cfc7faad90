#include "sandbox/spawner/shared_locks.h"

#include <gtest/gtest.h>
#include <sys/sysmacros.h>

namespace infra::sandbox {
namespace {

TEST(SharedLocksTest, ALineTellsWhoLocksOnWhichFileSystem) {
  EXPECT_EQ(parse_lock("1: FLOCK  ADVISORY  WRITE 1234 fe:1f:5678 0 EOF"),
            (FileLock{.process = 1234, .device = makedev(0xfe, 0x1f)}));
  EXPECT_EQ(parse_lock("\t12: OFDLCK ADVISORY  READ -1 00:2a:9 100 199"),
            (FileLock{.process = -1, .device = makedev(0, 0x2a)}));
  EXPECT_EQ(parse_lock("3: LEASE  ACTIVE    READ  77 08:01:4 0 EOF"),
            (FileLock{.process = 77, .device = makedev(8, 1)}));
}

TEST(SharedLocksTest, WhoWaitsHoldsNothing) {
  EXPECT_FALSE(parse_lock("1: -> FLOCK  ADVISORY  WRITE 1235 fe:00:5678 0 EOF"));
}

TEST(SharedLocksTest, AnythingElseIsNoLock) {
  for (const char* line : {"", "pos:\t0", "1:", "1: FLOCK ADVISORY WRITE", "1: FLOCK ADVISORY WRITE me fe:00:1 0 EOF",
                           "1: FLOCK ADVISORY WRITE 1 fe:1 0 EOF", "1: POSIX  *NOINODE* 1 <none>:0 0 EOF"})
    EXPECT_FALSE(parse_lock(line)) << line;
}

TEST(SharedLocksTest, OwnAreTheFileSystemsOfASandboxsOwnFolders) {
  EXPECT_EQ(own_device("702 700 0:55 /tmp /tmp rw,nosuid,nodev - tmpfs tmpfs rw"), makedev(0, 55));
  EXPECT_EQ(own_device("703 700 0:56 / /workspace rw - overlay overlay rw"), makedev(0, 56));
  for (const char* mount : {"700 600 0:40 / / ro,nosuid - tmpfs tmpfs ro", "", "702 700 x /tmp /tmp rw",
                            "701 700 254:0 /usr /usr ro,nosuid - ext4 /dev/vda rw", "704 702 0:57 / /tmp/x rw - tmpfs"})
    EXPECT_FALSE(own_device(mount)) << mount;
}

}  // namespace
}  // namespace infra::sandbox
