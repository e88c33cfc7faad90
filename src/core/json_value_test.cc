// What a client may send, Boost.JSON must be able to hold, or it is said.
#include "core/json_value.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/json_cursor.h"

namespace infra {
namespace {

TEST(JsonValue, ReadsWhatIsJson) {
  EXPECT_EQ(parse_json(R"({"a":[1,"\u00e9"]})"), (boost::json::value{{"a", {1, "\xc3\xa9"}}}));
  EXPECT_EQ(parse_json(std::string(kMaxJsonDepth, '[') + std::string(kMaxJsonDepth, ']'))->kind(),
            boost::json::kind::array);
  EXPECT_EQ(parse_json("1e400")->to_number<double>(), HUGE_VAL);
  EXPECT_EQ(parse_json("0e999")->to_number<double>(), 0);
  EXPECT_EQ(parse_json(R"({"a":[-0.0E400]})")->at("a").at(0).to_number<double>(), 0);
}

TEST(JsonValue, ASurrogateWithoutItsOtherHalfIsReplaced) {
  const auto text = [](std::string_view json) { return std::string(parse_json(json).value().get_string()); };
  EXPECT_EQ(text(R"("a\ud83d")"), "a\xef\xbf\xbd");
  EXPECT_EQ(text(R"("\uDE00\uD83D\uDE00\ud83dx")"), "\xef\xbf\xbd\xf0\x9f\x98\x80\xef\xbf\xbdx");
  EXPECT_EQ(text(R"("\\ud83d\ud83d\\ude00\u0000")"), std::string("\\ud83d\xef\xbf\xbd\\ude00\0", 16));
  EXPECT_EQ(parse_json(R"({"\ud83d":1})")->get_object().begin()->key(), "\xef\xbf\xbd");
}

TEST(JsonValue, SaysWhatItCannotHold) {
  for (const char* json : {"", "[", "{\"a\":1}x", "1e99999999999", "\"\\ud8\"", "\"\\ud83d"})
    EXPECT_EQ(parse_json(json), std::nullopt);
  EXPECT_EQ(parse_json(std::string(kMaxJsonDepth + 1, '[')), std::nullopt);
}

}  // namespace
}  // namespace infra
