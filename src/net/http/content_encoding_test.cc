// What a compressed body costs is decided by whoever reads it, and what is broken in it is said.
#include "net/http/content_encoding.h"

#include <gmock/gmock.h>
#include <zlib.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <cstring>

#include "support/piecewise_body.h"

namespace infra::net {
namespace {

using ::testing::HasSubstr;

std::string gzip(std::string_view text, int level = Z_BEST_SPEED) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, level, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string packed(deflateBound(&stream, static_cast<uLong>(text.size())), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

Task<void> read_into(BodyStream& body, std::uint64_t max_bytes, Result<std::string>& out) {
  out = co_await read_all(body, max_bytes);
}

Result<std::string> read(PiecewiseBody& packed, std::string encoding = "gzip", std::uint64_t max_bytes = 1 << 20) {
  Headers headers;
  headers.add("Content-Encoding", std::move(encoding));
  const auto decoded = decode_body(headers, packed);
  Result<std::string> out;
  boost::asio::io_context context(1);
  boost::asio::co_spawn(context, read_into(decoded ? *decoded : packed, max_bytes, out), boost::asio::detached);
  context.run();
  return out;
}

Result<std::string> read(std::string_view packed, std::string encoding = "gzip", std::size_t piece = 100'000) {
  PiecewiseBody body(packed, piece);
  return read(body, std::move(encoding));
}

TEST(ContentEncodingTest, InflatesHoweverTheBytesArrive) {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += std::to_string(i * 7919) + ",";
  const std::string packed = gzip(text);
  for (const std::size_t piece : {1UZ, 3UZ, 1000UZ, 100'000UZ}) EXPECT_EQ(read(packed, "gzip", piece), text) << piece;
  EXPECT_EQ(read(packed, "X-GZip"), text);
  EXPECT_EQ(read(gzip("a") + gzip("") + gzip("b")), "ab");
  EXPECT_EQ(read(gzip(text, Z_NO_COMPRESSION)), text);
  EXPECT_EQ(read(""), "");
}

TEST(ContentEncodingTest, WithoutAnEncodingTheBodyIsLeftAlone) {
  PiecewiseBody body("text", 4);
  EXPECT_EQ(decode_body({}, body), nullptr);
  EXPECT_EQ(read("text", "identity"), "text");
  EXPECT_EQ(read("text", ""), "text");
}

TEST(ContentEncodingTest, OtherEncodingsAreRefusedUnread) {
  for (const char* encoding : {"br", "deflate", "zstd", "gzip, gzip", "gzip\xff"}) {
    PiecewiseBody body("text", 4);
    const auto got = read(body, encoding);
    ASSERT_FALSE(got) << encoding;
    EXPECT_EQ(got.error().kind, ErrorKind::unsupported_media);
    EXPECT_EQ(got.error().code, "unsupported_content_encoding");
    EXPECT_EQ(body.left(), 4U);
  }
}

TEST(ContentEncodingTest, WhatIsNoGzipIsSaid) {
  const std::string packed = gzip("some text that is long enough to be cut");
  std::string wrong_sum = packed;
  wrong_sum[wrong_sum.size() - 8] ^= 1;
  for (const auto& [bytes, says] :
       {std::pair(std::string("{}"), "incorrect header"), std::pair(packed.substr(0, packed.size() - 1), "too early"),
        std::pair(packed.substr(0, 5), "too early"), std::pair(packed + "x", "too early"),
        std::pair(packed + "{}", "incorrect header"), std::pair(wrong_sum, "incorrect data check")}) {
    const auto got = read(bytes);
    ASSERT_FALSE(got) << says;
    EXPECT_EQ(got.error().code, "invalid_content_encoding");
    EXPECT_THAT(got.error().message, HasSubstr(says));
  }
}

TEST(ContentEncodingTest, ABombIsReadNoFurtherThanItsReaderAllows) {
  const std::string bomb = gzip(std::string(8 << 20, 'x'));
  PiecewiseBody body(bomb, 100'000);
  EXPECT_EQ(read(body, "gzip", 1 << 20).error().code, "body_too_large");
  EXPECT_GT(body.left(), bomb.size() / 2);
}

TEST(ContentEncodingTest, BytesThatHoldNothingAreNotReadForLong) {
  const std::string empty = gzip("");
  std::string nothing;
  while (nothing.size() < (1 << 20)) nothing += empty;
  PiecewiseBody body(nothing, 100'000);
  EXPECT_EQ(read(body).error().code, "invalid_content_encoding");
  EXPECT_GT(body.left(), nothing.size() / 2);
}

}  // namespace
}  // namespace infra::net
