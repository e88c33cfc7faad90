// Who stays and who goes, over thousands of connections that are none.
#include "net/http/connection_table.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <utility>
#include <vector>

namespace infra::net {
namespace {

using std::chrono::seconds;

class ConnectionTableTest : public testing::Test {
 protected:
  struct Fake {
    bool closed = false;
    std::unique_ptr<ConnectionPlace> place;
  };
  using FakePtr = std::shared_ptr<Fake>;

  explicit ConnectionTableTest(ConnectionLimits limits = {})
      : table_(limits, [this](std::string_view why) { ++told_[std::string(why)]; }, [this] { return crowded_; }) {}

  FakePtr connect(std::string_view address) {
    auto fake = std::make_shared<Fake>();
    fake->place = std::make_unique<ConnectionPlace>(table_, address, now_, [raw = fake.get()] { raw->closed = true; });
    now_ += milliseconds(1);
    return fake;
  }
  std::vector<FakePtr> connect(std::string_view address, int count) {
    std::vector<FakePtr> all;
    for (std::size_t gone = 0; std::cmp_less(all.size(), count);) {
      all.push_back(connect(address));
      for (; gone < all.size() && all[gone]->closed; ++gone)
        all[gone]->place.reset();  // as its thread would, soon after
    }
    return all;
  }
  bool show_key(Fake& fake) {
    fake.place->begin_request(now_ += milliseconds(1));
    const bool admitted = fake.place->show_key();
    fake.place->end_request();
    return admitted;
  }
  void ask_for_health(Fake& fake) {
    fake.place->begin_request(now_ += milliseconds(1));
    fake.place->ask_for_health();
    fake.place->end_request();
  }
  static int closed(const std::vector<FakePtr>& all) {
    return static_cast<int>(std::ranges::count_if(all, [](const auto& one) { return one->closed; }));
  }

  std::map<std::string, int, std::less<>> told_;
  bool crowded_ = false;
  ConnectionTable table_;
  SteadyTime now_{seconds(1000)};
};

TEST_F(ConnectionTableTest, AnAddressKeepsItsNewest256) {
  const auto flood = connect("192.0.2.1", 10'000);
  EXPECT_EQ(closed(flood), 10'000 - 256);
  for (std::size_t i = 0; i < flood.size(); ++i) EXPECT_EQ(flood[i]->closed, i < 10'000 - 256) << i;
  EXPECT_EQ(told_["share"], 10'000 - 256);
  EXPECT_EQ(table_.count().all(), 256U);
  EXPECT_FALSE(connect("192.0.2.2")->closed);
}

TEST_F(ConnectionTableTest, OneWithAKeyHasNoPartInTheShareOfItsAddress) {
  const auto client = connect("192.0.2.1");
  EXPECT_TRUE(show_key(*client));
  const auto flood = connect("192.0.2.1", 1'000);
  EXPECT_FALSE(client->closed);
  EXPECT_EQ(closed(flood), 1'000 - 256);
}

TEST_F(ConnectionTableTest, WhatAStrangerAsksForKeepsItNoLonger) {
  const auto first = connect("192.0.2.1");
  const auto flood = connect("192.0.2.1", 255);
  first->place->begin_request(now_ += seconds(1));
  first->place->end_request();
  const auto newest = connect("192.0.2.1");
  EXPECT_TRUE(first->closed);
  EXPECT_EQ(closed(flood), 0);
}

TEST_F(ConnectionTableTest, AFullTableClosesStrangersFirstThenTheClientThatWasLongestIdle) {
  std::vector<FakePtr> clients;
  for (int i = 0; i < 5'000; ++i) {
    clients.push_back(connect("192.0.2.1"));
    ASSERT_TRUE(show_key(*clients.back()));
  }
  std::vector<FakePtr> strangers;
  for (int i = 0; i < 5'000; ++i) strangers.push_back(connect(fmt::format("10.0.{}.{}", i / 250, i % 250)));
  EXPECT_EQ(table_.count().strangers, 5'000U);
  // It was the first to come, and is the last to have asked.
  ASSERT_TRUE(show_key(*clients[0]));
  std::vector<FakePtr> newcomers;
  for (std::size_t i = 0; i < 5'002; ++i) {
    newcomers.push_back(connect("203.0.113.1"));
    ASSERT_TRUE(show_key(*newcomers.back()));
    if (i >= strangers.size()) continue;
    ASSERT_TRUE(strangers[i]->closed) << "the strangers go first, the oldest of them before all";
    strangers[i]->place.reset();
    if (i + 1 < strangers.size()) ASSERT_FALSE(strangers[i + 1]->closed);
  }
  EXPECT_EQ(closed(newcomers), 0);
  EXPECT_FALSE(clients[0]->closed);
  EXPECT_TRUE(clients[1]->closed && clients[2]->closed);
  EXPECT_EQ(closed(clients), 2);
}

// Descriptors lack: whoever comes gets in, and somebody goes.
TEST_F(ConnectionTableTest, InACrowdANewcomerTakesAnothersPlace) {
  const auto strangers = connect("192.0.2.1", 3);
  const auto client = connect("192.0.2.2");
  ASSERT_TRUE(show_key(*client));
  crowded_ = true;
  for (std::size_t i = 0; i < strangers.size(); ++i) {
    (void)connect("203.0.113.1");
    EXPECT_TRUE(strangers[i]->closed);
    strangers[i]->place.reset();
  }
}

TEST_F(ConnectionTableTest, InACrowdOfBusyOnesAFewAreLetInToAskForHealth) {
  std::vector<FakePtr> busy;
  for (int i = 0; i < 100; ++i) {
    busy.push_back(connect(fmt::format("10.0.0.{}", i)));
    ASSERT_TRUE(show_key(*busy.back()));
    busy.back()->place->begin_request(now_);
  }
  crowded_ = true;
  std::vector<FakePtr> asking;
  for (int i = 0; i < 20; ++i) {
    asking.push_back(connect(fmt::format("10.0.1.{}", i)));
    ask_for_health(*asking.back());
    EXPECT_FALSE(asking.back()->closed);
  }
  EXPECT_EQ(closed(busy), 0);
  EXPECT_EQ(table_.count().reserve, ConnectionTable::kCrowded);
  EXPECT_FALSE(table_.may_accept()) << "until those that were told to close have done so";
  for (const auto& one : asking) {
    if (one->closed) one->place.reset();
  }
  EXPECT_TRUE(table_.may_accept());
  EXPECT_FALSE(show_key(*asking.back())) << "there is no room for one client more";
}

TEST_F(ConnectionTableTest, AConnectionWhoseRequestIsBeingAnsweredStays) {
  const auto busy = connect("192.0.2.1");
  busy->place->begin_request(now_);
  const auto flood = connect("192.0.2.1", 300);
  EXPECT_FALSE(busy->closed);
  busy->place->end_request();
  const auto one_more = connect("192.0.2.1");
  EXPECT_TRUE(busy->closed);
}

TEST_F(ConnectionTableTest, ThoseThatAskForHealthHaveConnectionsOfTheirOwn) {
  const auto balancer = connect("192.0.2.1");
  ask_for_health(*balancer);
  const auto flood = connect("192.0.2.1", 10'000);
  EXPECT_FALSE(balancer->closed) << "its address's share is another";
  EXPECT_EQ(table_.count().reserve, 1U);
  // As many as an address may have; and whoever asks again and again stays.
  std::vector<FakePtr> others;
  for (int i = 0; i < 64; ++i) {
    ask_for_health(*balancer);
    others.push_back(connect("192.0.2.1"));
    ask_for_health(*others.back());
  }
  EXPECT_FALSE(balancer->closed);
  EXPECT_EQ(closed(others), 1);
  EXPECT_EQ(told_["reserve"], 1);
  const auto elsewhere = connect("192.0.2.9");
  ask_for_health(*elsewhere);
  EXPECT_EQ(closed(others), 1) << "another address has its own";
  EXPECT_TRUE(show_key(*balancer));
  EXPECT_TRUE(balancer->place->is_client());
}

TEST_F(ConnectionTableTest, ANetworkOfAddressesFillsTheTableAndNobodyIsLockedOut) {
  std::vector<FakePtr> flood;
  for (int i = 0; i < 12'000; ++i) {
    flood.push_back(connect(fmt::format("10.{}.{}.{}", i >> 16, (i >> 8) & 255, i & 255)));
    if (i >= 10'000) flood[static_cast<std::size_t>(i - 10'000)]->place.reset();
  }
  EXPECT_EQ(told_["table"], 2'000);
  const auto newcomer = connect("192.0.2.1");
  EXPECT_EQ(newcomer->place->standing(), Standing::stranger);
}

class FullOfWork : public ConnectionTableTest {
 protected:
  FullOfWork() : ConnectionTableTest({.table = 20, .share = 4, .reserve = 4, .reserve_share = 2, .closing = 3}) {
    for (int i = 0; i < 20; ++i) {
      working_.push_back(connect(fmt::format("10.0.0.{}", i)));
      working_.back()->place->begin_request(now_);
      EXPECT_TRUE(working_.back()->place->show_key());
    }
  }
  std::vector<FakePtr> working_;
};

TEST_F(FullOfWork, ANewcomerFindsTheReserveWhichIsForHealth) {
  const auto newcomer = connect("192.0.2.1");
  EXPECT_EQ(newcomer->place->standing(), Standing::reserve);
  ask_for_health(*newcomer);
  EXPECT_FALSE(newcomer->closed);
  EXPECT_FALSE(show_key(*newcomer)) << "there is no room for a client";
  working_[3]->place->end_request();
  EXPECT_TRUE(show_key(*newcomer));
  EXPECT_TRUE(working_[3]->closed);
  EXPECT_EQ(closed(working_), 1);
}

TEST_F(FullOfWork, TheReserveKeepsItsNewestToo) {
  std::vector<FakePtr> newcomers;
  for (int i = 0; i < 6; ++i) newcomers.push_back(connect(fmt::format("192.0.2.{}", i)));
  EXPECT_TRUE(newcomers[0]->closed && newcomers[1]->closed);
  EXPECT_EQ(closed(newcomers), 2);
}

TEST_F(FullOfWork, NoneIsAcceptedUntilThoseThatWereToldToCloseHaveClosed) {
  std::vector<FakePtr> newcomers;
  for (int i = 0; table_.may_accept(); ++i) newcomers.push_back(connect(fmt::format("192.0.2.{}", i)));
  EXPECT_EQ(closed(newcomers), 3);
  EXPECT_LE(table_.count().all(), table_.limits().sockets());
  newcomers[0]->place.reset();
  EXPECT_TRUE(table_.may_accept());
}

class BehindProxies : public ConnectionTableTest {
 protected:
  BehindProxies() : ConnectionTableTest(connection_limits(1 << 20, false)) {}
};

TEST_F(BehindProxies, AnAddressHasNoShare) {
  const auto balancer = connect("10.0.0.1", 10'000);
  EXPECT_EQ(closed(balancer), 0);
  const auto one_more = connect("10.0.0.1");
  EXPECT_TRUE(balancer[0]->closed) << "the table has its bound";
}

TEST(ConnectionLimitsTest, ConnectionsGetHalfOfTheDescriptors) {
  const auto usual = connection_limits(1 << 20);
  EXPECT_EQ(usual.table, 10'000U);
  EXPECT_EQ(usual.share, 256U);
  EXPECT_EQ(usual.reserve, 256U);
  for (const std::size_t descriptors : {16UZ, 256UZ, 1024UZ, 4096UZ, 20'000UZ}) {
    const auto limits = connection_limits(descriptors);
    EXPECT_LE(limits.sockets(), descriptors / 2) << descriptors;
    EXPECT_GE(limits.table, descriptors / 4) << descriptors;
    EXPECT_LE(limits.share, limits.table / 2) << descriptors;
    EXPECT_GE(limits.reserve_share, 1U) << descriptors;
  }
}

}  // namespace
}  // namespace infra::net
