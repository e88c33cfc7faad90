// The simulated disk keeps what was synced and loses what was not, refuses what it is told to refuse, and does the same
// for the same seed.
#include "platform/disk/simulated_disk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <set>
#include <string>

#include "adapters/sqlite/sqlite.h"
#include "support/temp_folder.h"

namespace infra::sim {
namespace {

using sqlite::Connection;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsSupersetOf;

constexpr const char* kFile = "/a machine's/data.db";

std::unique_ptr<Connection> open(const std::string& path = kFile) {
  auto opened = Connection::open(path, Connection::Mode::create);
  if (!opened) throw std::runtime_error(opened.error().message);
  for (const char* setting : {"PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL"}) {
    if (auto set = (*opened)->execute(setting); !set) throw std::runtime_error(set.error().message);
  }
  return std::move(*opened);
}

struct Machine {
  explicit Machine(std::uint64_t seed = 1) : disk("/a machine's", Dice(seed)) {}
  SimulatedDisk disk;
};

// --- a file ---

std::string letters(char letter, std::size_t sectors) {
  return std::string(sectors * DiskFile::kSector, letter);
}
// A letter a sector.
std::string form(const DiskFile& file) {
  std::string text;
  for (std::size_t at = 0; at < file.size(); at += DiskFile::kSector) text += file.bytes()[at];
  return text;
}

TEST(DiskFile, APowerCutKeepsWhatWasSyncedAndAnyPartOfTheRest) {
  std::set<std::string> forms;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    Dice dice(seed);
    DiskFile file;
    file.write(0, letters('a', 2));
    file.sync();
    file.write(DiskFile::kSector, letters('b', 1));
    file.write(0, letters('c', 2));
    file.cut_power(dice);
    forms.insert(form(file));
  }
  EXPECT_THAT(forms, IsSupersetOf({"aa", "ab", "ac", "ca", "cb", "cc"}));
  EXPECT_EQ(forms.size(), 6U);
}

TEST(DiskFile, WhatGrewUnsyncedMayBeShorterAndHoldAnything) {
  std::set<std::uint64_t> sizes;
  bool garbage = false;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    Dice dice(seed);
    DiskFile file;
    file.write(0, letters('a', 1));
    file.sync();
    file.write(DiskFile::kSector, letters('b', 3));
    file.cut_power(dice);
    sizes.insert(file.size() / DiskFile::kSector);
    EXPECT_EQ(form(file)[0], 'a');
    for (const char letter : form(file).substr(1)) garbage = garbage || (letter != 'b' && letter != '\0');
  }
  EXPECT_THAT(sizes, ElementsAre(1, 2, 3, 4));
  EXPECT_TRUE(garbage);
}

TEST(DiskFile, WhatIsBehindACutIsNotSeenWithoutIt) {
  std::set<std::string> forms;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    Dice dice(seed);
    DiskFile file;
    file.write(0, letters('a', 3));
    file.sync();
    file.resize(DiskFile::kSector);
    file.write(0, letters('b', 1));
    file.cut_power(dice);
    forms.insert(form(file));
  }
  EXPECT_THAT(forms, ElementsAre("a", "aaa", "b"));
}

TEST(DiskFile, AFailedSyncForgetsWhatItWasToWrite) {
  std::set<std::string> before;
  std::set<std::string> after;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    Dice dice(seed);
    DiskFile file;
    file.write(0, letters('a', 1));
    file.sync();
    file.write(0, letters('b', 1));
    file.fail_sync(dice);
    before.insert(form(file));
    const bool again = seed % 2 == 0;
    if (again) file.write(0, letters('c', 1));
    file.sync();
    file.cut_power(dice);
    if (again) {
      EXPECT_EQ(form(file), "c");
    } else {
      after.insert(form(file));
    }
  }
  EXPECT_THAT(before, ElementsAre("a", "b"));
  EXPECT_THAT(after, ElementsAre("a", "b")) << "though the second sync said that all was well";
}

// --- a disk ---

TEST(SimulatedDisk, IsTheFileSystemOfItsFolderAlone) {
  Machine machine;
  const testing::TempFolder elsewhere;
  const auto simulated = open();
  const auto real = open((elsewhere.path() / "real.db").string());
  ASSERT_TRUE(simulated->execute("CREATE TABLE t(a)"));
  ASSERT_TRUE(real->execute("CREATE TABLE u(a)"));
  EXPECT_FALSE(std::filesystem::exists(kFile));
  EXPECT_TRUE(std::filesystem::exists(elsewhere.path() / "real.db"));
  EXPECT_THAT(machine.disk.files(), ElementsAre(kFile, std::string(kFile) + "-wal"));
}

TEST(SimulatedDisk, WhatAProgramWroteStaysWhenItIsGoneAndNothingFollows) {
  Machine machine;
  auto first = open();
  ASSERT_TRUE(first->execute("CREATE TABLE t(a)"));
  ASSERT_TRUE(first->execute("INSERT INTO t VALUES(1)"));
  machine.disk.end_program();
  EXPECT_FALSE(first->execute("INSERT INTO t VALUES(2)"));
  EXPECT_FALSE(Connection::open(kFile, Connection::Mode::create));
  machine.disk.begin_program();
  EXPECT_FALSE(first->execute("INSERT INTO t VALUES(3)"));
  {
    const auto second = open();
    EXPECT_EQ(second->query_integer("SELECT sum(a) FROM t").value(), 1);
    ASSERT_TRUE(second->execute("INSERT INTO t VALUES(4)"));
    first.reset();
    EXPECT_EQ(second->query_integer("SELECT sum(a) FROM t").value(), 5);
  }
  EXPECT_EQ(open()->query_integer("SELECT sum(a) FROM t").value(), 5);
}

TEST(SimulatedDisk, EndsAProgramInTheMiddleOfACommit) {
  Machine machine;
  const auto connection = open();
  ASSERT_TRUE(connection->execute("CREATE TABLE t(a)"));
  machine.disk.end_program_after(5);
  int done = 0;
  while (connection->execute("INSERT INTO t VALUES(1)")) ++done;
  EXPECT_FALSE(machine.disk.has_program());
  machine.disk.cut_power();
  machine.disk.begin_program();
  EXPECT_GE(open()->query_integer("SELECT count(*) FROM t").value(), done);
}

TEST(SimulatedDisk, ANewFileIsThereForGoodOnceItsFolderIsSynced) {
  std::set<std::ptrdiff_t> unsynced;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Machine machine(seed);
    const auto logs = [&] { return std::ranges::count(machine.disk.files(), std::string(kFile) + "-wal"); };
    auto connection = open();
    ASSERT_TRUE(connection->query_integer("SELECT count(*) FROM sqlite_schema"));  // makes the log, without a sync
    machine.disk.cut_power();
    EXPECT_THAT(machine.disk.files(), Contains(kFile)) << "the first sync of its journal has synced the folder";
    unsynced.insert(logs());
    connection.reset();
    machine.disk.begin_program();
    connection = open();
    ASSERT_TRUE(connection->execute("CREATE TABLE t(a)"));
    machine.disk.cut_power();
    EXPECT_EQ(logs(), 1);
  }
  EXPECT_THAT(unsynced, ElementsAre(0, 1));
}

TEST(SimulatedDisk, IsFullUntilThereIsRoom) {
  Machine machine;
  const auto connection = open();
  ASSERT_TRUE(connection->execute("CREATE TABLE t(a)"));
  const auto write = [&] { return connection->execute("INSERT INTO t VALUES(randomblob(100000))"); };
  machine.disk.set_capacity(machine.disk.used() + 4096);
  const auto refused = write();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "disk_full");
  EXPECT_LE(machine.disk.used(), machine.disk.used() + 4096);
  machine.disk.set_capacity(std::nullopt);
  EXPECT_TRUE(write());
  EXPECT_EQ(connection->query_integer("SELECT count(*) FROM t").value(), 1);
}

// The first use of the database makes the memory that connections share, which is a file: there is no room for it.
TEST(SimulatedDisk, AProgramThatStartsOnAFullOneSaysSo) {
  Machine machine;
  ASSERT_TRUE(open()->execute("CREATE TABLE t(a)"));
  machine.disk.set_capacity(machine.disk.used());
  const auto opened = Connection::open(kFile, Connection::Mode::create);
  const auto refused = (*opened)->execute("INSERT INTO t VALUES(1)");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "disk_full") << refused.error().message;
  machine.disk.set_capacity(std::nullopt);
  EXPECT_TRUE((*opened)->execute("INSERT INTO t VALUES(1)"));
}

TEST(SimulatedDisk, RefusesTheCallsThatItIsToldTo) {
  Machine machine;
  const auto connection = open();
  ASSERT_TRUE(connection->execute("CREATE TABLE t(a)"));
  const auto write = [&] { return connection->execute("INSERT INTO t VALUES(1)").has_value(); };
  machine.disk.faults().plan(DiskCall::sync, 2, DiskFault::broken);
  EXPECT_TRUE(write());
  EXPECT_FALSE(write());
  EXPECT_TRUE(write());
  machine.disk.faults().set_chance(DiskCall::write, DiskFault::full, 1);
  const auto full = connection->execute("INSERT INTO t VALUES(1)");
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, "disk_full");
  machine.disk.faults().clear();
  EXPECT_TRUE(write());
  EXPECT_EQ(machine.disk.faults().refused(), 2U);
  machine.disk.faults().plan(DiskCall::open, 1, DiskFault::broken);
  const auto other = Connection::open(kFile, Connection::Mode::create);
  EXPECT_FALSE(other && (*other)->query_integer("SELECT count(*) FROM t"));
}

TEST(SimulatedDisk, TheSameSeedLeavesTheSameBytes) {
  const auto left = [](std::uint64_t seed) {
    Machine machine(seed);
    const auto connection = open();
    std::string bytes;
    for (const char* sql : {"CREATE TABLE t(a)", "INSERT INTO t VALUES(randomblob(5000))", "DELETE FROM t"}) {
      if (!connection->execute(sql)) throw std::runtime_error(sql);
    }
    machine.disk.end_program_after(7);
    (void)connection->execute("INSERT INTO t VALUES(randomblob(50000))");
    machine.disk.cut_power();
    for (const std::string& path : machine.disk.files()) bytes += path + machine.disk.find(path)->bytes();
    return bytes;
  };
  EXPECT_EQ(left(1), left(1));
  EXPECT_NE(left(1), left(2));
}

}  // namespace
}  // namespace infra::sim
