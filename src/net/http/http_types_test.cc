#include "net/http/http_types.h"

#include <gtest/gtest.h>

namespace infra::net {
namespace {

TEST(HeadersTest, NamesAreComparedWithoutCase) {
  Headers headers;
  headers.add("X-One", "1");
  headers.add("x-one", "2");
  headers.add("Other", "3");
  EXPECT_EQ(headers.find("X-ONE"), "1");
  EXPECT_EQ(headers.count("x-One"), 2U);
  headers.set("X-oNE", "4");
  EXPECT_EQ(headers.count("x-one"), 1U);
  EXPECT_EQ(headers.find("x-one"), "4");
  EXPECT_EQ(headers.find("other"), "3");
  EXPECT_EQ(headers.find("absent"), std::nullopt);
}

TEST(HeadersTest, SeveralLinesAreOneList) {
  Headers headers;
  headers.add("X-Forwarded-For", "6.6.6.6, 10.0.0.1");
  headers.add("Host", "a");
  headers.add("x-forwarded-for", "");
  headers.add("X-FORWARDED-FOR", "192.0.2.1");
  EXPECT_EQ(headers.joined("X-Forwarded-For"), "6.6.6.6, 10.0.0.1, , 192.0.2.1");
  EXPECT_EQ(headers.joined("host"), "a");
  EXPECT_EQ(headers.joined("absent"), "");
}

TEST(PercentTest, DecodesOnlyWhatIsWellFormed) {
  EXPECT_EQ(percent_decode("a%20b%2Fc+d"), "a b/c+d");
  EXPECT_EQ(percent_decode("%e2%82%ac"), "\xE2\x82\xAC");
  for (const char* text : {"%", "%2", "a%2", "%zz", "%-1", "%2g"})
    EXPECT_EQ(percent_decode(text), std::nullopt) << text;
}

TEST(PercentTest, EncodingComesBackFromEveryByte) {
  std::string bytes;
  for (int byte = 0; byte < 256; ++byte) bytes.push_back(static_cast<char>(byte));
  EXPECT_EQ(percent_decode(percent_encode(bytes)), bytes);
  EXPECT_EQ(percent_encode("a/b ~"), "a%2Fb%20~");
}

TEST(QueryTest, FindsTheFirstValueOfAName) {
  EXPECT_EQ(query_value("limit=5&limit=6&cursor=a%2Bb+c", "limit"), "5");
  EXPECT_EQ(query_value("limit=5&cursor=a%2Bb+c", "cursor"), "a+b c");
  EXPECT_EQ(query_value("flag&x=", "flag"), "");
  EXPECT_EQ(query_value("flag&x=", "x"), "");
  EXPECT_EQ(query_value("xlimit=5", "limit"), std::nullopt);
  EXPECT_EQ(query_value("limit=%zz", "limit"), std::nullopt);
  EXPECT_EQ(query_value("", "limit"), std::nullopt);
}

}  // namespace
}  // namespace infra::net
