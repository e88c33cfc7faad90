// A text that comes in pieces is judged as if it had come whole, wherever it was cut, and no later than at its first
// wrong byte.
#include "core/json_scanner.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <string>
#include <utility>

namespace infra {
namespace {

struct Verdict {
  bool whole = false;
  JsonScanner::Fault fault = JsonScanner::Fault::none;
  std::size_t position = 0;
  std::size_t taken = 0;
  std::string expected;
  bool operator==(const Verdict&) const = default;
};

Verdict judge(std::string_view text, std::size_t piece) {
  JsonScanner scanner;
  Verdict verdict;
  for (std::size_t at = 0; at < text.size() && verdict.taken == at; at += piece)
    verdict.taken += scanner.take(text.substr(at, piece));
  verdict.whole = scanner.finish();
  verdict.fault = scanner.fault();
  verdict.position = scanner.position();
  verdict.expected = scanner.expected();
  if (verdict.fault != JsonScanner::Fault::none) verdict.taken = 0;
  return verdict;
}

TEST(JsonScanner, CutsChangeNothing) {
  const std::string whole = "[{\"a\":[1,-0.5e1,\"x\\n\\u0041\xc3\xa9\xf0\x9f\x98\x80\"],\"b\":true},null,\"\", 20 ]";
  const std::vector<std::string> pieces = {
      "",  "{",  "}",    "[",           "]", ",",  ":",    "\"",       "\\",           "\\u",
      "0", "1",  "-",    ".5",          "e", "e1", "true", "\xc3\xa9", "\xf0\x9f\x98", "\xa9",
      " ", "\n", "\x01", "\xed\xa0\x80"};
  EXPECT_TRUE(judge(whole, 1).whole);
  EXPECT_TRUE(rc::check([&] {
    std::string text = whole;
    const auto at = *rc::gen::inRange<std::size_t>(0, whole.size());
    text.replace(at, *rc::gen::inRange<std::size_t>(0, 3), *rc::gen::elementOf(pieces));
    const Verdict verdict = judge(text, text.size() + 1);
    for (std::size_t piece = 1; piece < 12; ++piece) RC_ASSERT(judge(text, piece) == verdict);
  }));
}

TEST(JsonScanner, EndsWithTheValueAndTakesNothingMore) {
  for (const auto& [text, size] : {std::pair{"[1] ,", 3}, {"12,", 2}, {"\"a\"b", 3}, {"{}{}", 2}, {" null]", 5}}) {
    JsonScanner scanner;
    EXPECT_EQ(scanner.take(text), static_cast<std::size_t>(size)) << text;
    EXPECT_TRUE(scanner.done()) << text;
    EXPECT_EQ(scanner.take("[1]"), 0U) << text;
  }
}

TEST(JsonScanner, AFaultIsKnownAtOnce) {
  JsonScanner scanner;
  EXPECT_EQ(scanner.take("[1,2"), 4U);
  EXPECT_EQ(scanner.take("x" + std::string(1000, '0')), 0U);
  EXPECT_EQ(scanner.position(), 4U);
  EXPECT_EQ(scanner.expected(), "a comma or ] is expected");
  EXPECT_EQ(scanner.take("]"), 0U);
  EXPECT_FALSE(scanner.finish());
}

TEST(JsonScanner, DepthHasItsBoundInPiecesToo) {
  JsonScanner scanner;
  for (std::size_t i = 0; i < kMaxJsonDepth; ++i) EXPECT_EQ(scanner.take("["), 1U);
  EXPECT_EQ(scanner.take("["), 0U);
  EXPECT_EQ(scanner.fault(), JsonScanner::Fault::too_deep);
  EXPECT_EQ(scanner.position(), kMaxJsonDepth);
}

TEST(JsonScanner, APlainTextEndsAtTheFirstByteThatIsNone) {
  for (std::size_t at = 0; at < 20; ++at) {
    for (const char special : {'"', '\\', '\n', '\0', '\x1f', '\x80', '\xff'}) {
      std::string text(20, 'a');
      text[at] = special;
      EXPECT_EQ(plain_text_length(text), at);
    }
  }
  EXPECT_EQ(plain_text_length("a\x7f ~"), 4U);
  EXPECT_EQ(plain_text_length(""), 0U);
}

}  // namespace
}  // namespace infra
