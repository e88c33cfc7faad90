#include "net/http/multipart_reader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <cstring>
#include <random>

#include "support/piecewise_body.h"

namespace infra::net {
namespace {

struct Part {
  std::string name;
  std::optional<std::string> filename;
  std::string content_type;
  std::string bytes;
  bool operator==(const Part&) const = default;
};

struct Outcome {
  std::vector<Part> parts;
  std::string error_code;  // empty if the body was read to its end
  ErrorKind kind{};
  bool drained = false;
  bool operator==(const Outcome&) const = default;
};

constexpr std::string_view kType = "multipart/form-data; boundary=XY";

Task<void> read_parts(MultipartReader& reader, std::size_t span_bytes, Outcome& outcome) {
  std::vector<char> span(span_bytes);
  const auto note = [&](const Error& error) {
    outcome.error_code = error.code;
    outcome.kind = error.kind;
  };
  while (true) {
    auto header = co_await reader.next();
    if (!header) co_return note(header.error());
    if (!*header) co_return;
    auto& part = outcome.parts.emplace_back((*header)->name, (*header)->filename, (*header)->content_type, "");
    while (true) {
      auto count = co_await reader.read(span);
      if (!count) co_return note(count.error());
      if (*count == 0) break;
      part.bytes.append(span.data(), *count);
    }
  }
}

void run(Task<void> task) {
  boost::asio::io_context context(1);
  boost::asio::co_spawn(context, std::move(task), [](std::exception_ptr error) {
    if (error) std::rethrow_exception(error);
  });
  context.run();
}

Outcome read_in_pieces(std::string_view body, std::function<std::size_t()> next_size, std::size_t span_bytes = 512,
                       MultipartLimits limits = {}, std::string_view type = kType) {
  PiecewiseBody stream(body, std::move(next_size));
  auto reader = MultipartReader::create(type, stream, limits);
  if (!reader) return {.parts = {}, .error_code = reader.error().code, .kind = reader.error().kind};
  Outcome outcome;
  run(read_parts(**reader, span_bytes, outcome));
  outcome.drained = stream.left() == 0;
  return outcome;
}

Outcome read_whole(std::string_view body, MultipartLimits limits = {}, std::string_view type = kType) {
  return read_in_pieces(body, [] { return std::size_t{1} << 20; }, 512, limits, type);
}

std::string field(std::string_view name, std::string_view bytes) {
  return "--XY\r\nContent-Disposition: form-data; name=\"" + std::string(name) + "\"\r\n\r\n" + std::string(bytes) +
         "\r\n";
}

std::string with_disposition(std::string_view disposition) {
  return "--XY\r\nContent-Disposition: " + std::string(disposition) + "\r\n\r\nx\r\n--XY--\r\n";
}

TEST(MultipartReader, ReadsFieldsAndFilesBetweenPreambleAndEpilogue) {
  const auto outcome = read_whole(
      "to be ignored\r\n--XYZ\r\n--XY\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.zip\"\r\n"
      "Content-Type: application/zip\r\n\r\nPK\r\n\r\n--XY \t\r\n" +
      field("empty", "").substr(6) + field("name", "hello") + "--XY--\r\nepilogue --XY\r\n");
  EXPECT_EQ(outcome.error_code, "");
  EXPECT_EQ(outcome.parts,
            (std::vector<Part>{
                {"file", "a.zip", "application/zip", "PK\r\n"}, {"empty", {}, "", ""}, {"name", {}, "", "hello"}}));
  EXPECT_TRUE(outcome.drained);
}

TEST(MultipartReader, GivesTheSamePartsForEverySplit) {
  const std::string lookalikes =
      "\r\n--X\r\n--XY-\r\n--XYZ\r\n--XY--tail\r\n--XY  x\r\n--XY\r\r\n--XY "
      "\r--XY\r\n-\r\r\r\n\r\n--X\n--XY\n\r\n--XY\n--XY";
  const std::string body = "pre\r\n--XY-\r\n" + field("a", lookalikes) + field("b", "") +
                           field("c", std::string(300, '\r')) + field("d", "--XYZ\r\n--XY-") + "--XY--\r\nrest";
  const auto expected = read_whole(body);
  ASSERT_EQ(expected.error_code, "");
  ASSERT_EQ(expected.parts.size(), 4u);
  EXPECT_EQ(expected.parts[3].bytes, "--XYZ\r\n--XY-");

  for (const std::size_t size : {1u, 2u, 3u, 7u}) {
    EXPECT_EQ(read_in_pieces(body, [size] { return size; }), expected) << "pieces of " << size;
    EXPECT_EQ(read_in_pieces(body, [size] { return size; }, 1), expected) << "pieces of " << size << ", span of 1";
  }
  for (std::size_t split = 1; split < body.size(); ++split) {
    EXPECT_EQ(
        read_in_pieces(body, [split, first = true]() mutable { return std::exchange(first, false) ? split : 1 << 20; }),
        expected)
        << "split at " << split;
  }
}

TEST(MultipartReader, GivesBackRandomPartsForRandomSplits) {
  std::mt19937 random(20261123);
  const auto below = [&](std::size_t bound) {
    return std::uniform_int_distribution<std::size_t>(0, bound - 1)(random);
  };
  constexpr std::string_view kPieces[] = {"\r",      "\n", "\r\n",      "-", "--", "\r\n--",
                                          "\r\n--X", "XY", "\r\n--XYX", " ", "a"};
  for (int round = 0; round < 300; ++round) {
    std::string body;
    std::vector<Part> parts;
    for (std::size_t n = below(4) + 1; n > 0; --n) {
      std::string bytes;
      for (std::size_t k = below(round % 50 == 0 ? 60'000 : 40); k > 0; --k)
        bytes += kPieces[below(std::size(kPieces))];
      // A whole delimiter line can't be content, so each start of one goes on in a way that spoils it.
      constexpr std::string_view kSpoilers[] = {"Z", " Z", "-Z", "\rZ", "--Z", " \r\r\n"};
      for (auto at = bytes.find("--XY"); at != std::string::npos; at = bytes.find("--XY", at + 4)) {
        bytes.insert(at + 4, kSpoilers[below(std::size(kSpoilers))]);
      }
      body += field("p", bytes);
      parts.emplace_back("p", std::nullopt, "", bytes);
    }
    body += "--XY--";
    const auto outcome = read_in_pieces(body, [&] { return below(round % 2 == 0 ? 9 : 70'000) + 1; }, below(1000) + 1);
    ASSERT_EQ(outcome.error_code, "") << "round " << round;
    ASSERT_EQ(outcome.parts, parts) << "round " << round;
  }
}

TEST(MultipartReader, EveryBodyThatEndsEarlyIsRefused) {
  const std::string body = field("a", "one") + field("b", "two") + "--XY--";
  ASSERT_EQ(read_whole(body).error_code, "");
  for (std::size_t length = 0; length < body.size(); ++length) {
    const auto outcome = read_whole(std::string_view(body).substr(0, length));
    EXPECT_EQ(outcome.error_code, "invalid_multipart") << "cut at " << length;
  }
}

TEST(MultipartReader, UnderstandsNamesInEveryForm) {
  const auto part = [](std::string_view disposition) {
    const auto outcome = read_whole(with_disposition(disposition));
    return outcome.parts.empty() ? Part{outcome.error_code, {}, "", ""} : outcome.parts.front();
  };
  EXPECT_EQ(part(R"(form-data; name=plain)").name, "plain");
  EXPECT_EQ(part(R"(FORM-DATA ;NAME="a \"b\" \\ c;d")").name, R"(a "b" \ c;d)");
  EXPECT_EQ(part(R"(form-data; name=f; filename="C:\dir\f.zip")").filename, R"(C:\dir\f.zip)");
  EXPECT_EQ(part("form-data;\r\n name=f;\r\n\tfilename=\"\"").filename, "");
  EXPECT_EQ(part("form-data; name=f; filename=\"x\"; filename*=utf-8'en'na%C3%AFve.zip").filename, "na\xC3\xAFve.zip");
  EXPECT_EQ(part("form-data; name=\"na\xC3\xAFve\"").name, "na\xC3\xAFve");

  for (const auto* wrong :
       {"form-data", "form-data; name=\"\"", "form-data; name", "form-data; name=\"open", "attachment; name=f",
        "form-data; name=a; name=b", "form-data; name=a b", "form-data; name=f; filename*=latin-1''x",
        "form-data; name=f; filename*=UTF-8''%FF", "form-data; name=f; filename*=UTF-8''%4",
        "form-data; name=a\r\nBroken line", "form-data; name=a\r\nContent-Disposition: form-data; name=b",
        "form-data; name=a\r\nSpaced : x"}) {
    EXPECT_EQ(part(wrong).name, "invalid_multipart") << wrong;
  }
}

TEST(MultipartReader, HoldsItsLimits) {
  const auto two = field("a", "one") + field("b", "two") + "--XY--\r\n";
  EXPECT_EQ(read_whole(two, {.max_parts = 2}).error_code, "");
  EXPECT_EQ(read_whole(two, {.max_parts = 1}).error_code, "too_many_parts");

  EXPECT_EQ(read_whole(two, {.max_total_bytes = two.size()}).error_code, "");
  const auto over = read_whole(two, {.max_total_bytes = two.size() - 1});
  EXPECT_EQ(over.error_code, "body_too_large");
  EXPECT_EQ(over.kind, ErrorKind::too_large);

  const auto wide = with_disposition("form-data; name=" + std::string(100'000, 'n'));
  EXPECT_EQ(read_whole(wide).error_code, "part_header_too_large");
  EXPECT_EQ(read_in_pieces(wide, [] { return std::size_t{1}; }).error_code, "part_header_too_large");
  EXPECT_EQ(read_whole(wide, {.max_part_header_bytes = 200'000}).parts.at(0).name.size(), 100'000u);
  const auto block = std::string("Content-Disposition: form-data; name=") + std::string(100'000, 'n');
  for (const std::size_t piece : {std::size_t{1}, std::size_t{1} << 20}) {  // its end may come in pieces
    const auto next = [piece] { return piece; };
    EXPECT_EQ(read_in_pieces(wide, next, 512, {.max_part_header_bytes = block.size()}).error_code, "");
    EXPECT_EQ(read_in_pieces(wide, next, 512, {.max_part_header_bytes = block.size() - 1}).error_code,
              "part_header_too_large");
  }
}

TEST(MultipartReader, NeedsAUsableBoundary) {
  for (const auto* type :
       {"", "application/json", "multipart/mixed; boundary=XY", "multipart/form-data",
        "multipart/form-data; boundary=", "multipart/form-data; boundary=\"a \"",
        "multipart/form-data; boundary=\"a\\\"b\"", "multipart/form-data; boundary=XY; boundary=Z"}) {
    EXPECT_EQ(read_whole("", {}, type).kind, ErrorKind::unsupported_media) << type;
  }
  const std::string longest(70, 'b');
  EXPECT_EQ(read_whole("--" + longest + "--", {}, "multipart/form-data;boundary=" + longest).error_code, "");
  EXPECT_EQ(read_whole("--bb" + longest + "--", {}, "multipart/form-data;boundary=b" + longest).kind,
            ErrorKind::unsupported_media);
  EXPECT_EQ(read_whole("--a=b/c?--", {}, "Multipart/Form-Data; charset=utf-8; boundary=a=b/c?").error_code, "");
}

Task<void> skip_and_read_text(MultipartReader& reader, std::vector<std::string>& seen) {
  EXPECT_EQ((co_await reader.next()).value()->name, "skipped");
  EXPECT_EQ((co_await reader.next()).value()->name, "text");
  seen.push_back((co_await reader.read_text(5)).value());
  EXPECT_EQ((co_await reader.next()).value()->name, "long");
  seen.push_back((co_await reader.read_text(5)).error().code);
  EXPECT_FALSE((co_await reader.next()).value().has_value());
  EXPECT_FALSE((co_await reader.next()).value().has_value());
}

TEST(MultipartReader, SkipsWhatIsNotReadAndBoundsText) {
  const auto body =
      field("skipped", std::string(200'000, 's')) + field("text", "12345") + field("long", "123456") + "--XY--\r\n";
  PiecewiseBody stream(body, [] { return std::size_t{1000}; });
  auto reader = MultipartReader::create(kType, stream).value();
  std::vector<std::string> seen;
  run(skip_and_read_text(*reader, seen));
  EXPECT_EQ(seen, (std::vector<std::string>{"12345", "field_too_large"}));
}

}  // namespace
}  // namespace infra::net
