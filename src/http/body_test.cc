// Bodies on their way in: JSON that is none is told where, text of other encodings is named, gzip is read within the
// same bounds.
#include <gmock/gmock.h>
#include <zlib.h>

#include <stdexcept>

#include "http/test_api.h"
#include "http/test_form.h"

namespace infra::http {
namespace {

using ::testing::HasSubstr;

std::string gzip(std::string_view plain) {
  z_stream stream{};
  constexpr int kGzip = 15 + 16;
  if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, kGzip, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
    throw std::runtime_error("deflateInit2");
  }
  std::string packed(deflateBound(&stream, plain.size()), '\0');
  std::string input(plain);
  stream.next_in = reinterpret_cast<Bytef*>(input.data());
  stream.avail_in = static_cast<uInt>(input.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

// ASCII text in units of `width` bytes.
std::string widened(std::string_view ascii, std::size_t width, bool big, std::string_view mark) {
  std::string wide(mark);
  for (const char c : ascii) {
    std::string unit(width, '\0');
    (big ? unit.back() : unit.front()) = c;
    wide += unit;
  }
  return wide;
}

class Bodies : public ::testing::Test {
 protected:
  Bodies() { api_.add_function("f"); }
  Answer post(std::string body, std::vector<net::Header> headers = {}) {
    return api_.send(json_request("POST", "/run", std::move(body), std::move(headers)));
  }
  Answer packed(std::string body, const std::string& encoding = "gzip") {
    return post(std::move(body), {{"Content-Encoding", encoding}});
  }
  Answer typed(const std::string& type) {
    return api_.send({.method = "POST", .target = "/run", .body = kBody, .headers = {{"Content-Type", type}}});
  }

  const std::string kBody = R"({"functionId":"f","inputData":"x"})";
  TestApi api_;
};

TEST_F(Bodies, WhatIsNoJsonIsToldWhere) {
  const struct {
    std::string body, says;
  } cases[] = {{"", "empty"},
               {"nope", "at byte 0"},
               {"functionId=f", "at byte 0"},
               {"{", "at byte 1"},
               {"{'functionId':1}", "at byte 1"},
               {R"({"functionId":"f",})", "at byte 18"},
               {R"({"a":NaN})", "at byte 5"},
               {R"({"a":1}x)", "at byte 7"},
               {"[]", "object"},
               {R"("x")", "object"},
               {"{\"functionId\":\"\xff\"}", "UTF-8"},
               {"{\"inputData\":\"\xfc\"}", "UTF-8"}};
  for (const auto& [body, says] : cases) {
    SCOPED_TRACE(body);
    expect_error(post(body), 400, "invalid_json", says);
  }
}

TEST_F(Bodies, DepthIsBounded) {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  const auto deepest = api_.run("f", nested(499));
  EXPECT_EQ(deepest.status, 200);
  EXPECT_THAT(deepest.body, HasSubstr(nested(499)));
  expect_error(api_.run("f", nested(500)), 400, "invalid_json",
               "inputData is nested too deeply: a value may be at most 499");
}

TEST_F(Bodies, Utf8AloneIsReadAndOthersAreNamed) {
  using namespace std::string_literals;
  const struct {
    std::string body, says;
  } cases[] = {{widened(kBody, 2, false, "\xff\xfe"), "UTF-16"},
               {widened(kBody, 2, true, "\xfe\xff"), "UTF-16"},
               {widened(kBody, 2, false, ""), "UTF-16"},
               {widened(kBody, 2, true, ""), "UTF-16"},
               {widened(kBody, 4, false, "\xff\xfe\0\0"s), "UTF-32"},
               {widened(kBody, 4, true, "\0\0\xfe\xff"s), "UTF-32"},
               {widened(kBody, 4, false, ""), "UTF-32"},
               {widened(kBody, 4, true, ""), "UTF-32"}};
  for (const auto& [body, says] : cases) {
    SCOPED_TRACE(says);
    expect_error(post(body), 400, "invalid_json", "The body is " + says + "; send JSON as UTF-8.");
  }
  EXPECT_EQ(post("\xef\xbb\xbf" + kBody).status, 200);
}

TEST_F(Bodies, ACharsetThatIsNotReadIsNamed) {
  for (const char* charset : {"utf-16", "iso-8859-1", "\"utf-7\""}) {
    const auto answer = typed("application/json; charset=" + std::string(charset));
    expect_error(answer, 415, "unsupported_charset", "UTF-8");
    EXPECT_FALSE(answer.has("Accept-Encoding"));
    EXPECT_FALSE(answer.body_was_read);
  }
  for (const char* charset : {"UTF-8", "\"utf-8\"", "utf8", "us-ascii"}) {
    EXPECT_EQ(typed("application/json; charset=" + std::string(charset)).status, 200) << charset;
  }
}

TEST_F(Bodies, GzipIsReadByEveryRouteThatReads) {
  EXPECT_EQ(packed(gzip(kBody)).status, 200);
  EXPECT_EQ(packed(gzip(kBody), "X-Gzip").status, 200);
  auto chunked = json_request("POST", "/run", gzip(kBody), {{"Content-Encoding", "gzip"}});
  chunked.chunked = true;
  EXPECT_EQ(api_.send(chunked).text("result"), "x");
  EXPECT_EQ(api_.send(json_request("PUT", "/functions/f", gzip(R"({"description":"packed"})"),
                                   {{"Content-Encoding", "gzip"}}))
                .status,
            200);
  EXPECT_EQ(api_.functions.rows[{"f"}].description, "packed");
  EXPECT_EQ(
      api_.send(json_request("POST", "/worker/heartbeat", gzip(R"({"workerId":"w"})"), {{"Content-Encoding", "gzip"}}))
          .status,
      200);
  auto form = form_request("POST", "/upload", {{"name", {}, "packed"}, {"file", "code.zip", "PK"}},
                           {{"Content-Encoding", "gzip"}});
  form.body = gzip(form.body);
  EXPECT_EQ(api_.send(form).text("name"), "packed");
}

TEST_F(Bodies, ThePackedBodysBoundIsThatOfTheUnpacked) {
  const std::string large = R"({"functionId":"f","inputData":")" + std::string(9 * limits::kMiB, 'x') + "\"}";
  EXPECT_EQ(packed(gzip(large)).status, 200);
  const auto bomb = packed(gzip(std::string(16 * limits::kMiB, '[')));
  expect_error(bomb, 413, "body_too_large", "10485760");
}

TEST_F(Bodies, BrokenGzipAndOtherEncodingsAreRefused) {
  const std::string whole = gzip(kBody);
  for (const std::string& broken :
       {whole.substr(0, whole.size() - 1), whole.substr(0, whole.size() - 8) + std::string(8, '\0'), std::string("{}"),
        whole + "more"}) {
    expect_error(packed(broken), 400, "invalid_content_encoding", "gzip");
  }
  expect_error(post(whole), 400, "invalid_json", "Content-Encoding: gzip");
  for (const char* other : {"br", "deflate", "gzip, gzip"}) {
    const auto answer = packed("x", other);
    expect_error(answer, 415, "unsupported_content_encoding", other);
    EXPECT_EQ(answer.header("Accept-Encoding"), "gzip");
  }
  auto form = form_request("POST", "/upload", {{"file", "code.zip", "PK"}}, {{"Content-Encoding", "br"}});
  expect_error(api_.send(form), 415, "unsupported_content_encoding");
  // Refused by its header alone, as without it.
  const auto unread = api_.send({.method = "POST",
                                 .target = "/run",
                                 .body = gzip(std::string(16 * limits::kMiB, '[')),
                                 .headers = {{"Content-Encoding", "gzip"}, {"Content-Type", "text/plain"}}});
  expect_error(unread, 415, "unsupported_media_type");
  EXPECT_FALSE(unread.body_was_read);
}

}  // namespace
}  // namespace infra::http
