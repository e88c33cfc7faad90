#include "main/kept_keys.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "adapters/system/system_random.h"
#include "core/secrets_key.h"
#include "support/temp_folder.h"

namespace infra {
namespace {

class KeptKeys : public ::testing::Test {
 protected:
  static int mode_of(const std::filesystem::path& path) {
    struct stat told{};
    return ::stat(path.c_str(), &told) == 0 ? static_cast<int>(told.st_mode & 0777) : -1;
  }
  testing::TempFolder folder_;
  SystemRandom random_;
};

TEST_F(KeptKeys, AreMadeOnceForTheOwnerAlone) {
  for (const auto& [make, file] : {std::pair{&dev_key, "api-key"}, std::pair{&kept_secrets_key, "secrets-key"}}) {
    const auto first = make(folder_.path(), random_);
    ASSERT_TRUE(first) << first.error().message;
    EXPECT_EQ(make(folder_.path(), random_).value(), *first);
    EXPECT_EQ(mode_of(folder_.path() / file), 0600);
    EXPECT_FALSE(std::filesystem::exists(folder_.path() / (std::string(file) + ".part")));
  }
  EXPECT_TRUE(SecretsKey::parse(kept_secrets_key(folder_.path(), random_).value()));
}

TEST_F(KeptKeys, AFileThatIsNoSecretsKeyIsLeftAsItIs) {
  const auto path = folder_.path() / "secrets-key";
  std::ofstream(path) << "something else\n";
  const auto refused = kept_secrets_key(folder_.path(), random_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "secrets_key_unusable");
  EXPECT_NE(refused.error().message.find(path.string()), std::string::npos);
  std::string line;
  std::getline(std::ifstream(path) >> std::ws, line);
  EXPECT_EQ(line, "something else");
}

TEST_F(KeptKeys, AFolderThatCannotBeWrittenIsSaid) {
  const auto refused = kept_secrets_key(folder_.path() / "none", random_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "secrets_key_unusable");
  EXPECT_EQ(dev_key(folder_.path() / "none", random_).error().code, "api_key_unwritable");
}

}  // namespace
}  // namespace infra
