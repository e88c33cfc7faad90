// Descriptors that find no room in the receiver's table are missed, not taken for those that came.
#include "sandbox/system/message_socket.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <vector>

namespace infra::sandbox {
namespace {

// From here on so many more descriptors can be opened.
class FewDescriptors {
 public:
  explicit FewDescriptors(int left) {
    getrlimit(RLIMIT_NOFILE, &usual_);
    const UniqueFd lowest(::fcntl(0, F_DUPFD_CLOEXEC, 0));
    rlimit few = usual_;
    few.rlim_cur = static_cast<rlim_t>(lowest.get() + left);
    setrlimit(RLIMIT_NOFILE, &few);
  }
  ~FewDescriptors() { setrlimit(RLIMIT_NOFILE, &usual_); }
  FewDescriptors(const FewDescriptors&) = delete;
  FewDescriptors& operator=(const FewDescriptors&) = delete;

 private:
  rlimit usual_{};
};

class MessageSocketTest : public testing::Test {
 protected:
  void SetUp() override {
    int ends[2] = {-1, -1};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    ours_.reset(ends[0]);
    theirs_.reset(ends[1]);
  }
  [[nodiscard]] bool send_three() const {
    const std::array<int, 3> fds{theirs_.get(), theirs_.get(), theirs_.get()};
    return send_message(theirs_.get(), 42, fds);
  }

  UniqueFd ours_;
  UniqueFd theirs_;
  int message_ = 0;
  PassedFds fds_;
};

TEST_F(MessageSocketTest, BringsDescriptorsAlong) {
  ASSERT_TRUE(send_three());
  EXPECT_EQ(receive_message(ours_.get(), message_, &fds_), Received::message);
  EXPECT_EQ(message_, 42);
  EXPECT_TRUE(fds_[2].valid());
  EXPECT_FALSE(fds_[3].valid());
}

TEST_F(MessageSocketTest, SaysWhenSomeFoundNoRoom) {
  ASSERT_TRUE(send_three());
  {
    const FewDescriptors few(2);
    EXPECT_EQ(receive_message(ours_.get(), message_, &fds_), Received::cut);
  }
  EXPECT_EQ(message_, 42);
  EXPECT_TRUE(fds_[1].valid());
  EXPECT_FALSE(fds_[2].valid());
  ASSERT_TRUE(send_three());
  EXPECT_EQ(receive_message(ours_.get(), message_, &fds_), Received::message) << "the next one is whole again";
}

}  // namespace
}  // namespace infra::sandbox
