// The log's lines are JSON whatever is written to them, and the ring that GET /logs shows is bounded.
#include "telemetry/log.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace infra {
namespace {

TEST(Log, LinesAreJsonWithTheirFields) {
  log::info("a \"quoted\"\nmessage", {{"text", "caf\xc3\xa9 \xff"}, {"count", 3}, {"ms", 1.5}, {"ok", true}});
  const auto line = boost::json::parse(log::recent_lines().back()).as_object();
  EXPECT_EQ(line.at("msg").as_string(), "a \"quoted\"\nmessage");
  EXPECT_EQ(line.at("text").as_string(), "caf\xc3\xa9 \xef\xbf\xbd");
  EXPECT_EQ(line.at("count").as_int64(), 3);
  EXPECT_EQ(line.at("ms").as_double(), 1.5);
  EXPECT_TRUE(line.at("ok").as_bool());
  EXPECT_EQ(line.at("level").as_string(), "info");
}

TEST(Log, ATextIsCutWhateverAClientSends) {
  log::info(std::string(5000, 'm'),
            {{"long", std::string(100'000, '"')}, {"odd", std::string(1023, 'x') + "\xc3\xa9"}});
  const std::string text = log::recent_lines().back();
  EXPECT_LT(text.size(), 6 * log::kMaxText);
  const auto line = boost::json::parse(text).as_object();
  EXPECT_EQ(line.at("msg").as_string(), std::string(log::kMaxText, 'm') + "...");
  EXPECT_EQ(line.at("long").as_string(), std::string(log::kMaxText, '"') + "...");
  EXPECT_EQ(line.at("odd").as_string(), std::string(1023, 'x') + "...");
}

TEST(Log, KeepsTheLastHundredLines) {
  for (int i = 0; i < 150; ++i) log::info("line", {{"n", i}});
  const auto lines = log::recent_lines();
  ASSERT_EQ(lines.size(), 100U);
  EXPECT_NE(lines.front().find("\"n\":50}"), std::string::npos) << lines.front();
  EXPECT_NE(lines.back().find("\"n\":149}"), std::string::npos) << lines.back();
}

TEST(Log, WarningsAndErrorsAreHeardWhileSomebodyListens) {
  std::vector<std::string> heard;
  {
    const log::Listener listener([&](log::Level level, std::string_view message, log::Fields fields) {
      heard.push_back(std::string(level == log::Level::warn ? "warn " : "error ") + std::string(message) +
                      std::to_string(fields.size()));
    });
    log::info("nothing to hear");
    log::warn("careful", {{"code", "x"}});
    log::error("broken");
    log::write(log::Level::error, "a line alone");
  }
  log::warn("too late");
  EXPECT_EQ(heard, (std::vector<std::string>{"warn careful1", "error broken0"}));
}

}  // namespace
}  // namespace infra
