// What every BundleReader promises, good ZIPs and hostile ones. Instantiate with a factory type that has make().
#pragma once

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <set>
#include <string>

#include "core/bundle_rules.h"
#include "core/error_codes.h"
#include "core/limits.h"
#include "ports/bundle_reader.h"
#include "support/temp_folder.h"
#include "support/zip_builder.h"

namespace infra::testing {

inline std::string read_whole(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline mode_t mode_of(const std::filesystem::path& path) {
  struct stat info{};
  return ::lstat(path.c_str(), &info) == 0 ? info.st_mode & 07777 : 0;
}

inline std::string noise(std::size_t bytes) {
  std::mt19937 random(42);  // NOLINT: the same bytes every time
  std::string text(bytes, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

// While it lives, this process may open so many files more.
class FewDescriptors {
 public:
  explicit FewDescriptors(int more) {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const int next = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    ::close(next);
    const rlimit few{static_cast<rlim_t>(next + more), before_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &few);
  }
  ~FewDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  FewDescriptors(const FewDescriptors&) = delete;
  FewDescriptors& operator=(const FewDescriptors&) = delete;

 private:
  rlimit before_{};
};

template <typename Factory>
class BundleReaderContract : public ::testing::Test {
 protected:
  std::filesystem::path zip(const ZipBuilder& builder) { return builder.write_to(folder_.path() / "bundle.zip"); }
  std::filesystem::path raw(const std::string& bytes) {
    std::ofstream(folder_.path() / "bundle.zip", std::ios::binary) << bytes;
    return folder_.path() / "bundle.zip";
  }
  std::filesystem::path target() { return folder_.path() / "out"; }

  void expect_list_refuses(const std::filesystem::path& path, std::string_view code) {
    for (const auto& error :
         {error_of(reader_->list(path)), error_of(reader_->verify(path)), error_of(reader_->extract(path, target()))}) {
      EXPECT_EQ(error.code, code) << error.message;
      EXPECT_EQ(error.kind, ErrorKind::invalid);
    }
    EXPECT_FALSE(std::filesystem::exists(target()));
  }
  void expect_unpacking_refuses(const std::filesystem::path& path, std::string_view code) {
    EXPECT_TRUE(reader_->list(path).has_value()) << reader_->list(path).error().message;
    for (const auto& error : {error_of(reader_->verify(path)), error_of(reader_->extract(path, target()))}) {
      EXPECT_EQ(error.code, code) << error.message;
    }
    EXPECT_FALSE(std::filesystem::exists(target()));
  }

  TempFolder folder_;
  std::unique_ptr<BundleReader> reader_ = Factory::make();

 private:
  template <typename T>
  static Error error_of(const Result<T>& result) {
    return result ? Error{errors::internal, "it was accepted"} : result.error();
  }
};

TYPED_TEST_SUITE_P(BundleReaderContract);

TYPED_TEST_P(BundleReaderContract, UnpacksWhatWasPacked) {
  const std::string big = noise(300'000);
  ZipBuilder builder;
  builder.add("main.py", "print(1)\n").add_folder("lib/").add("lib/deep/er/big.bin", big).add("empty", "");
  builder.add({.name = "stored", .content = big, .deflated = false});
  builder.add({.name = "run", .content = "#!", .unix_mode = 0104777});
  const auto path = this->zip(builder);

  const auto entries = this->reader_->list(path);
  ASSERT_TRUE(entries.has_value()) << entries.error().message;
  ASSERT_EQ(entries->size(), 6U);
  EXPECT_EQ((*entries)[1].type, EntryType::directory);
  EXPECT_EQ((*entries)[2].unpacked_bytes, big.size());
  EXPECT_TRUE(check_bundle(*entries, Runtime::python).has_value());
  EXPECT_TRUE(this->reader_->verify(path).has_value());

  const mode_t before = ::umask(0077);
  const auto extracted = this->reader_->extract(path, this->target());
  ::umask(before);
  ASSERT_TRUE(extracted.has_value()) << extracted.error().message;
  EXPECT_EQ(read_whole(this->target() / "main.py"), "print(1)\n");
  EXPECT_EQ(read_whole(this->target() / "lib/deep/er/big.bin"), big);
  EXPECT_EQ(read_whole(this->target() / "stored"), big);
  EXPECT_EQ(std::filesystem::file_size(this->target() / "empty"), 0U);
  EXPECT_EQ(mode_of(this->target()), 0755U);
  EXPECT_EQ(mode_of(this->target() / "lib/deep"), 0755U);
  EXPECT_EQ(mode_of(this->target() / "main.py"), 0644U);
  EXPECT_EQ(mode_of(this->target() / "run"), 0755U);  // and no setuid
}

TYPED_TEST_P(BundleReaderContract, KeepsTypesForTheRules) {
  ZipBuilder builder;
  builder.add("../x.py", "x");
  builder.add({.name = "link", .content = "/etc/passwd", .unix_mode = 0120777});
  builder.add({.name = "pipe", .unix_mode = 010644});
  builder.add({.name = "disk", .unix_mode = 060644});
  builder.add({.name = "dos", .content = "x", .unix_mode = 0120777, .made_on = 0});
  builder.add({.name = "secret", .content = std::string(20, 'x'), .deflated = false, .flags = 0x0801});
  const auto entries = this->reader_->list(this->zip(builder));
  ASSERT_TRUE(entries.has_value()) << entries.error().message;
  EXPECT_EQ((*entries)[0].name, "../x.py");
  EXPECT_EQ((*entries)[1].type, EntryType::symlink);
  EXPECT_EQ((*entries)[1].target, "/etc/passwd");
  EXPECT_EQ((*entries)[2].type, EntryType::other);
  EXPECT_EQ((*entries)[3].type, EntryType::other);
  EXPECT_EQ((*entries)[4].type, EntryType::file);
  EXPECT_TRUE((*entries)[5].encrypted);
  EXPECT_FALSE((*entries)[4].encrypted);
}

TYPED_TEST_P(BundleReaderContract, RefusesWhatIsNoZip) {
  const std::string good = ZipBuilder().add("main.py", noise(5000)).bytes();
  this->expect_list_refuses(this->raw(""), "not_a_zip");
  this->expect_list_refuses(this->raw("PK"), "not_a_zip");
  this->expect_list_refuses(this->raw(noise(100'000)), "not_a_zip");
  this->expect_list_refuses(this->raw("PK\x03\x04" + noise(100'000)), "not_a_zip");
  this->expect_list_refuses(this->raw(good + std::string(70'000, 'x')), "not_a_zip");  // more than any tool looks past
  this->expect_list_refuses(this->raw(good.substr(0, good.size() / 2)), "not_a_zip");
  this->expect_list_refuses(this->raw(good.substr(0, good.size() - 1)), "not_a_zip");
  this->expect_list_refuses(this->raw(good.substr(0, 200) + good.substr(300)), "not_a_zip");
}

TYPED_TEST_P(BundleReaderContract, AnEmptyZipIsAListOfNothing) {
  const auto entries = this->reader_->list(this->zip(ZipBuilder()));
  ASSERT_TRUE(entries.has_value()) << entries.error().message;
  EXPECT_TRUE(entries->empty());
}

// Every cut and every flipped byte: an error or an honest result, never a crash, never anything left behind.
TYPED_TEST_P(BundleReaderContract, SurvivesAnyDamage) {
  const std::string good = ZipBuilder().add("main.py", "print(1)\n").add("a/b", std::string(50, 'x')).bytes();
  const auto try_one = [&](const std::string& bytes) {
    const auto path = this->raw(bytes);
    const bool verified = this->reader_->verify(path).has_value();
    const bool extracted = this->reader_->extract(path, this->target()).has_value();
    EXPECT_EQ(std::filesystem::exists(this->target()), extracted);
    if (extracted) EXPECT_TRUE(verified);
    std::filesystem::remove_all(this->target());
  };
  for (std::size_t length = 0; length < good.size(); ++length) try_one(good.substr(0, length));
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (const int bit : {0, 3, 7}) {
      std::string damaged = good;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << bit));
      try_one(damaged);
    }
  }
}

TYPED_TEST_P(BundleReaderContract, RefusesMoreThanTenThousandEntries) {
  ZipBuilder builder;
  for (std::uint64_t i = 0; i < limits::kMaxEntries; ++i) builder.add({.name = std::to_string(i), .deflated = false});
  const auto entries = this->reader_->list(this->zip(builder));
  ASSERT_TRUE(entries.has_value()) << entries.error().message;
  EXPECT_EQ(entries->size(), limits::kMaxEntries);
  builder.add("one more", "");
  this->expect_list_refuses(this->zip(builder), "bundle_too_many_entries");
  // A directory longer than its own count says.
  const auto hidden = this->reader_->list(this->zip(builder.claim_entries(3)));
  ASSERT_FALSE(hidden.has_value());
}

TYPED_TEST_P(BundleReaderContract, RefusesADirectoryThatLiesAboutSizes) {
  const std::string zeros(100'000, '\0');
  this->expect_unpacking_refuses(this->zip(ZipBuilder().add({.name = "small", .content = zeros, .claimed_size = 10})),
                                 "bundle_corrupt");
  this->expect_unpacking_refuses(
      this->zip(ZipBuilder().add({.name = "large", .content = zeros, .claimed_size = 100'001})), "bundle_corrupt");
  // The directory is what is checked and believed; what a local header says instead (0, from writers to a pipe) is no
  // matter.
  const auto two = this->zip(ZipBuilder().add({.name = "two", .content = zeros, .claimed_size_in_local_only = 10}));
  EXPECT_EQ(this->reader_->list(two).value().at(0).unpacked_bytes, zeros.size());
  ASSERT_TRUE(this->reader_->extract(two, this->target()).has_value());
  EXPECT_EQ(read_whole(this->target() / "two"), zeros);
}

TYPED_TEST_P(BundleReaderContract, RefusesAWrongChecksum) {
  ZipBuilder builder;
  builder.add("main.py", "fine").add({.name = "lib/bad", .content = "not what it was", .claimed_crc = 1});
  this->expect_unpacking_refuses(this->zip(builder), "bundle_corrupt");
}

TYPED_TEST_P(BundleReaderContract, RefusesABombBeforeItInflatesAnything) {
  const std::string some = noise(limits::kMiB);
  ZipBuilder large;
  for (const char* name : {"a", "a", "b"}) {
    large.add(
        {.name = name, .content = some, .claimed_size = static_cast<std::uint32_t>(limits::kMaxUnpackedBytes / 3 + 1)});
  }
  this->expect_unpacking_refuses(this->zip(large), "bundle_too_large_unpacked");
  this->expect_unpacking_refuses(this->zip(ZipBuilder().add("zeros", std::string(4 * limits::kMiB, '\0'))),
                                 "bundle_ratio");
}

TYPED_TEST_P(BundleReaderContract, RefusesOverlappingEntries) {
  ZipBuilder builder;
  builder.add({.name = "aaaa", .content = noise(10'000)});
  for (int i = 0; i < 50; ++i) builder.add({.name = fmt::format("{:04}", i), .share_previous_data = true});
  this->expect_list_refuses(this->zip(builder), "not_a_zip");
}

TYPED_TEST_P(BundleReaderContract, RefusesOtherCompressionMethods) {
  this->expect_list_refuses(this->zip(ZipBuilder().add({.name = "x", .content = "x", .deflated = false, .method = 12})),
                            "bundle_compression");
}

TYPED_TEST_P(BundleReaderContract, DecodesNames) {
  const auto crc = [](std::string_view text) {
    return static_cast<std::uint32_t>(
        crc32(0, reinterpret_cast<const Bytef*>(text.data()), static_cast<uInt>(text.size())));
  };
  // Info-ZIP's Unicode Path field: version 1, the checksum of the header's own name, the name.
  const auto unicode_path = [](std::uint32_t of_name, const std::string& name) {
    std::string field = "up";
    field += static_cast<char>(name.size() + 5), field += '\0', field += '\1';
    for (int i = 0; i < 4; ++i) field += static_cast<char>(of_name >> (8 * i));
    return field + name;
  };
  const std::string utf8 = "caf\xc3\xa9.txt";
  for (const auto& [entry, name] : std::vector<std::pair<ZipEntry, std::string>>{
           {{.name = utf8}, utf8},
           {{.name = utf8, .flags = 0}, utf8},                         // macOS, zip on Linux
           {{.name = "caf\x82.txt", .flags = 0, .made_on = 0}, utf8},  // CP437, as the format has it
           {{.name = "caf\x82.txt", .flags = 0}, utf8},
           {{.name = "cafe.txt", .flags = 0, .extra = unicode_path(crc("cafe.txt"), utf8)}, utf8},
           {{.name = "cafe.txt", .flags = 0, .extra = unicode_path(1, utf8)}, "cafe.txt"},  // of another name
           {{.name = "\xc0\xae", .flags = 0}, "\xe2\x94\x94\xc2\xab"},  // no UTF-8, though it looks like a full stop's
       }) {
    const auto path = this->zip(ZipBuilder().add(entry));
    EXPECT_EQ(this->reader_->list(path).value().at(0).name, name);
    ASSERT_TRUE(this->reader_->extract(path, this->target()).has_value());
    EXPECT_TRUE(std::filesystem::exists(this->target() / name)) << name;
    std::filesystem::remove_all(this->target());
  }
  for (const char* name : {"\xc0\xae", "caf\xe9"}) {
    this->expect_list_refuses(this->zip(ZipBuilder().add({.name = name})), "invalid_bundle_path");
  }
  for (const std::string& name : {std::string("a\0b", 3), std::string("a\x01\x82"), std::string("\x7f\x82")}) {
    this->expect_list_refuses(this->zip(ZipBuilder().add({.name = name, .flags = 0})), "invalid_bundle_path");
  }
}

// As unzip, Python and bsdtar do.
TYPED_TEST_P(BundleReaderContract, ReadsAnArchiveWithBytesAroundIt) {
  ZipBuilder builder;
  builder.add("main.py", "print(1)\n").add("lib/b", noise(5000));
  const std::string good = builder.bytes();
  const std::string program = noise(100'000);
  const std::string cut_comment = ZipBuilder(builder).comment("a longer one").bytes();
  for (const std::string& bytes :
       {program + good, good + "\r\n", good + noise(60'000), program + good + "x",
        ZipBuilder().begin_with(program).add("main.py", "print(1)\n").add("lib/b", noise(5000)).bytes(),
        ZipBuilder(builder).comment(noise(0xffff)).bytes(), cut_comment.substr(0, cut_comment.size() - 3),
        ZipBuilder(builder).comment(ZipBuilder().add("other.py", "").bytes() + "x").bytes(),
        ZipBuilder().add("other.py", "").bytes() + good, ZipBuilder(builder).with_zip64_record().bytes(),
        program + ZipBuilder(builder).with_zip64_record().bytes() + "x"}) {
    const auto path = this->raw(bytes);
    const auto entries = this->reader_->list(path);
    ASSERT_TRUE(entries.has_value()) << entries.error().message;
    ASSERT_EQ(entries->size(), 2U);
    const auto extracted = this->reader_->extract(path, this->target());
    ASSERT_TRUE(extracted.has_value()) << extracted.error().message;
    EXPECT_EQ(read_whole(this->target() / "main.py"), "print(1)\n");
    EXPECT_EQ(read_whole(this->target() / "lib/b"), noise(5000));
    std::filesystem::remove_all(this->target());
  }
}

// Each of some thousand records at the end points to the whole directory: it is read once all the same.
TYPED_TEST_P(BundleReaderContract, ReadsOneDirectoryHoweverManyRecordsPointToIt) {
  ZipBuilder builder;
  for (std::uint64_t i = 0; i < limits::kMaxEntries; ++i) builder.add({.name = std::to_string(i), .deflated = false});
  const std::string good = builder.bytes();
  std::string bytes = good;
  while (bytes.size() + 22 < good.size() + 0xffff) bytes += good.substr(good.size() - 22);
  const auto entries = this->reader_->list(this->raw(bytes + "x"));
  ASSERT_TRUE(entries.has_value()) << entries.error().message;
  EXPECT_EQ(entries->size(), limits::kMaxEntries);
}

TYPED_TEST_P(BundleReaderContract, ReadsWhatIsWrittenToAPipe) {
  const std::string big = noise(300'000);
  ZipBuilder builder;
  builder.add({.name = "main.py", .content = "print(1)\n", .streamed = true});
  builder.add({.name = "big", .content = big, .streamed = true});
  builder.add({.name = "sixty-four", .content = big, .zip64 = true});
  const auto path = this->zip(builder);
  ASSERT_TRUE(this->reader_->verify(path).has_value());
  ASSERT_TRUE(this->reader_->extract(path, this->target()).has_value());
  EXPECT_EQ(read_whole(this->target() / "main.py"), "print(1)\n");
  EXPECT_EQ(read_whole(this->target() / "big"), big);
  EXPECT_EQ(read_whole(this->target() / "sixty-four"), big);
}

TYPED_TEST_P(BundleReaderContract, UnpacksWhatIsOnlyOdd) {
  ZipBuilder builder;
  builder.add_folder("./").add("./main.py", "old").add("main.py", "new");
  builder.add_folder("lib/").add_folder("./lib/").add("lib//a", "a").add("/lib/./b", "b").add("implied/c", "c");
  builder.add({.name = "data/", .content = "a folder holds none", .unix_mode = 040755});
  builder.add({.name = "plain/", .unix_mode = 0100644});
  builder.add({.name = "unix", .deflated = false, .unix_mode = 040755});  // folders without a slash
  builder.add({.name = "dos", .deflated = false, .unix_mode = 0, .made_on = 0, .dos_attributes = 0x10});
  builder.add({.name = "file", .content = "x", .unix_mode = 040755}).add("__MACOSX/._main.py", "");
  const auto path = this->zip(builder);
  ASSERT_TRUE(this->reader_->verify(path).has_value());
  ASSERT_TRUE(this->reader_->extract(path, this->target()).has_value());
  std::set<std::string> found;
  for (const auto& made : std::filesystem::recursive_directory_iterator(this->target())) {
    found.insert(made.path().lexically_relative(this->target()).string() + (made.is_directory() ? "/" : ""));
  }
  EXPECT_EQ(found, (std::set<std::string>{"main.py", "lib/", "lib/a", "lib/b", "implied/", "implied/c", "data/",
                                          "plain/", "unix/", "dos/", "file", "__MACOSX/", "__MACOSX/._main.py"}));
  EXPECT_EQ(read_whole(this->target() / "main.py"), "new");
  EXPECT_EQ(this->reader_->read_start(path, "main.py", 10).value_or("nothing"), "new");
}

TYPED_TEST_P(BundleReaderContract, UnpacksLinksThatStayInside) {
  ZipBuilder builder;
  // First, so that whatever is unpacked through it would land elsewhere.
  builder.add({.name = "main", .content = "node_modules/.bin/cli", .unix_mode = 0120777});
  builder.add({.name = "node_modules/.bin/cli", .content = "../cli/run.js", .deflated = false, .unix_mode = 0120777});
  builder.add({.name = "node_modules/cli/run.js", .content = "run", .unix_mode = 0100755});
  builder.add({.name = "round", .content = "./round", .unix_mode = 0120777});
  builder.add({.name = "up/root", .content = "..", .unix_mode = 0120777});
  const auto path = this->zip(builder);
  ASSERT_TRUE(this->reader_->verify(path).has_value());
  ASSERT_TRUE(this->reader_->extract(path, this->target()).has_value());
  EXPECT_EQ(std::filesystem::read_symlink(this->target() / "node_modules/.bin/cli"), "../cli/run.js");
  EXPECT_EQ(std::filesystem::read_symlink(this->target() / "round"), "./round");
  EXPECT_EQ(read_whole(this->target() / "main"), "run");
  EXPECT_EQ(this->reader_->read_start(path, "main", 10).value_or("nothing"), "run");
}

// A reader is safe by itself: some bundles were uploaded by others, who checked nothing.
TYPED_TEST_P(BundleReaderContract, NeverWritesOutsideTheFolder) {
  for (const char* name : {"../escaped", "a/../../escaped", "/tmp/../escaped", "..\\escaped"}) {
    this->expect_unpacking_refuses(this->zip(ZipBuilder().add(name, "x")), "invalid_bundle_path");
    EXPECT_FALSE(std::filesystem::exists(this->folder_.path() / "escaped"));
  }
  const auto link = [](const char* name, const std::string& target) {
    return ZipEntry{.name = name, .content = target, .unix_mode = 0120777};
  };
  for (const char* target : {"..", "/etc", "a/../../x"}) {
    this->expect_unpacking_refuses(this->zip(ZipBuilder().add(link("a", target))), "bundle_has_link");
    this->expect_unpacking_refuses(this->zip(ZipBuilder().add(link("a", target)).add("a/escaped", "x")),
                                   "bundle_duplicate_entry");
  }
  this->expect_unpacking_refuses(this->zip(ZipBuilder().add(link("a", std::string(2000, 'x')))), "bundle_has_link");
  this->expect_unpacking_refuses(this->zip(ZipBuilder().add(link("in", "b")).add("b/c", "").add("in/c", "")),
                                 "bundle_duplicate_entry");
  this->expect_unpacking_refuses(this->zip(ZipBuilder().add("a", "1").add("b", "2").add("a/x", "3")),
                                 "bundle_duplicate_entry");
}

TYPED_TEST_P(BundleReaderContract, LeavesAnExistingFolderAlone) {
  std::filesystem::create_directory(this->target());
  std::ofstream(this->target() / "kept") << "x";
  EXPECT_FALSE(this->reader_->extract(this->zip(ZipBuilder().add("main.py", "x")), this->target()).has_value());
  EXPECT_TRUE(std::filesystem::exists(this->target() / "kept"));
}

// Whose fault it is not: others have descriptors open, and will close them.
TYPED_TEST_P(BundleReaderContract, WithoutDescriptorsItIsToBeTriedLater) {
  ZipBuilder builder;
  builder.add("folder/main.py", "x");
  const auto path = this->zip(builder);
  for (int left = 0; left < 8; ++left) {
    SCOPED_TRACE(left);
    Result<void> done;
    {
      const FewDescriptors few(left);
      done = this->reader_->extract(path, this->target());
    }
    if (done) {
      EXPECT_GT(left, 1);
      return;
    }
    EXPECT_EQ(done.error().code, errors::no_descriptors) << done.error().message;
    EXPECT_FALSE(std::filesystem::exists(this->target()));
  }
  ADD_FAILURE() << "it wants more descriptors than it should";
}

TYPED_TEST_P(BundleReaderContract, ReadsTheStartOfAnEntry) {
  const std::string big = noise(300'000);
  const auto path = this->zip(ZipBuilder().add("small", "hello").add("big", big));
  EXPECT_EQ(this->reader_->read_start(path, "small", 100).value_or("nothing"), "hello");
  EXPECT_EQ(this->reader_->read_start(path, "small", 5).value_or("nothing"), "hello");
  EXPECT_EQ(this->reader_->read_start(path, "big", 100'000).value_or("nothing"), big.substr(0, 100'000));
  const auto missing = this->reader_->read_start(path, "main", 100);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, ErrorKind::not_found);
}

REGISTER_TYPED_TEST_SUITE_P(BundleReaderContract, WithoutDescriptorsItIsToBeTriedLater, UnpacksWhatWasPacked,
                            ReadsTheStartOfAnEntry, KeepsTypesForTheRules, DecodesNames,
                            ReadsAnArchiveWithBytesAroundIt, ReadsOneDirectoryHoweverManyRecordsPointToIt,
                            ReadsWhatIsWrittenToAPipe, UnpacksWhatIsOnlyOdd, UnpacksLinksThatStayInside,
                            RefusesWhatIsNoZip, AnEmptyZipIsAListOfNothing, SurvivesAnyDamage,
                            RefusesMoreThanTenThousandEntries, RefusesADirectoryThatLiesAboutSizes,
                            RefusesAWrongChecksum, RefusesABombBeforeItInflatesAnything, RefusesOverlappingEntries,
                            RefusesOtherCompressionMethods, NeverWritesOutsideTheFolder, LeavesAnExistingFolderAlone);

}  // namespace infra::testing
