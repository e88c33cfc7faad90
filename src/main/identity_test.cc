#include "main/identity.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>
#include <set>

#include "support/temp_folder.h"

namespace infra {
namespace {

using sandbox::Identity;

class FewUsers final : public Users {
 public:
  [[nodiscard]] std::optional<Identity> named(const std::string& name) const override {
    const auto found = names.find(name);
    return found == names.end() ? std::nullopt : std::optional(found->second);
  }
  [[nodiscard]] std::optional<Identity> numbered(uid_t uid) const override {
    for (const auto& [name, identity] : names) {
      if (identity.uid == uid) return identity;
    }
    return std::nullopt;
  }
  [[nodiscard]] bool is_taken(uid_t uid) const override { return taken.contains(uid) || numbered(uid).has_value(); }

  std::map<std::string, Identity> names{{"root", {0, 0}}, {"ada", {1000, 1001}}};
  std::set<uid_t> taken;
};

class ChosenIdentity : public ::testing::Test {
 protected:
  [[nodiscard]] Identity chosen(const std::string& user = "") const {
    const auto identity = choose_identity(user, data, users);
    return identity ? *identity : Identity{77, 77};
  }
  void give_data_to(uid_t uid, gid_t gid) const {
    std::filesystem::create_directory(data);
    ASSERT_EQ(::chown(data.c_str(), uid, gid), 0) << "giving folders away takes root";
  }

  const ::infra::testing::TempFolder folder;
  const std::filesystem::path data = folder.path() / "data";
  FewUsers users;
};

TEST_F(ChosenIdentity, IsTheNamedUserByNameOrNumber) {
  EXPECT_EQ(chosen("ada"), (Identity{1000, 1001}));
  EXPECT_EQ(chosen("1000"), (Identity{1000, 1001}));
  EXPECT_EQ(chosen("root"), (Identity{0, 0}));
  for (const char* unknown : {"bob", "4711", "1000x", "-1", " "}) {
    const auto refused = choose_identity(unknown, data, users);
    ASSERT_FALSE(refused) << unknown;
    EXPECT_EQ(refused.error().code, "unknown_user");
  }
}

TEST_F(ChosenIdentity, IsElseTheDataFoldersOwnerUnlessThatIsRoot) {
  if (::geteuid() != 0) GTEST_SKIP() << "giving folders away takes root";
  users.names["infra"] = {999, 998};
  give_data_to(1000, 0);
  EXPECT_EQ(chosen(), (Identity{1000, 1001})) << "with that user's own group";
  EXPECT_EQ(chosen("infra"), (Identity{999, 998})) << "who is named comes first";
  give_data_to(4711, 4712);
  EXPECT_EQ(chosen(), (Identity{4711, 4712}));
  give_data_to(4711, 0);
  EXPECT_EQ(chosen(), (Identity{4711, 4711})) << "never root's group";
  give_data_to(0, 0);
  EXPECT_EQ(chosen(), (Identity{999, 998}));
}

TEST_F(ChosenIdentity, IsElseANumberThatNobodyHas) {
  const Identity first = chosen();
  EXPECT_GE(first.uid, kFirstFreeUid);
  EXPECT_LE(first.uid, kLastFreeUid);
  EXPECT_EQ(first.gid, first.uid);
  EXPECT_EQ(chosen(), first) << "the path picks it";
  users.taken = {first.uid};
  const uid_t next = first.uid == kLastFreeUid ? kFirstFreeUid : first.uid + 1;
  EXPECT_EQ(chosen().uid, next);
  for (uid_t uid = kFirstFreeUid; uid <= kLastFreeUid; ++uid) users.taken.insert(uid);
  const uid_t last = first.uid == kFirstFreeUid ? kLastFreeUid : first.uid - 1;
  users.taken.erase(last);
  EXPECT_EQ(chosen().uid, last) << "once round";
  users.names["infra"] = {999, 998};
  EXPECT_EQ(chosen(), (Identity{999, 998}));
  users.names.erase("infra");
  users.taken.insert(last);
  EXPECT_FALSE(choose_identity("", data, users)) << "none is left";
}

TEST(MachinesUsers, KnowWhatIsTaken) {
  const MachineUsers users;
  EXPECT_TRUE(users.is_taken(0));
  EXPECT_TRUE(users.is_taken(::getuid()));
  EXPECT_EQ(users.named("root"), (Identity{0, 0}));
  EXPECT_EQ(users.numbered(0), (Identity{0, 0}));
}

}  // namespace
}  // namespace infra
