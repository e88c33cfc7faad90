// What a process that user code shares may say, and what it costs: refused at the first byte that can't be right, and
// never more memory than the bytes that have come.
#include "worker/runner/frame_reader.h"

#include <gtest/gtest.h>

#include <string>

#include "core/error_codes.h"

namespace infra::worker {
namespace {

using State = FrameReader::State;

std::string header(std::size_t size) {
  std::string bytes;
  for (int i = 0; i < 4; ++i) bytes += static_cast<char>((size >> (8 * i)) & 0xff);
  return bytes;
}

TEST(FrameReader, AFrameMayComeByteByByte) {
  const std::string bytes = framed(R"({"ok":true,"value":[1]})");
  FrameReader reader(kAnswerFrame);
  for (std::size_t i = 0; i + 1 < bytes.size(); ++i) ASSERT_EQ(reader.take({&bytes[i], 1}), State::reading);
  ASSERT_EQ(reader.take({&bytes.back(), 1}), State::whole);
  const Frame frame = reader.take_frame();
  EXPECT_EQ(frame.text, R"({"ok":true,"value":[1]})");
  ASSERT_EQ(frame.members.size(), 2U);
  EXPECT_EQ(frame.members[1].value.in(frame.text), "[1]");
}

TEST(FrameReader, ALengthBeyondTheBoundIsRefusedBeforeAnyOfItIsRead) {
  FrameReader reader(kAnswerFrame);
  EXPECT_EQ(reader.take(header(kAnswerFrame.max_bytes + 1)), State::refused);
  EXPECT_EQ(reader.refusal().code, errors::runner_broken.code);
  FrameReader fits(kAnswerFrame);
  EXPECT_EQ(fits.take(header(kAnswerFrame.max_bytes)), State::reading);
  EXPECT_EQ(fits.size(), kAnswerFrame.max_bytes);
}

TEST(FrameReader, WhatCantBecomeAnAnswerIsRefusedWhileItComes) {
  for (const auto* start : {"[", "7", "{\"a\":1,,", "{\"value\":[0,0,x", "{\"a\":\"\xff\xff\xff\xff", "{\"a\":01"}) {
    FrameReader reader(kAnswerFrame);
    EXPECT_EQ(reader.take(header(1 << 20) + start), State::refused) << start;
    EXPECT_EQ(reader.frame().text.capacity(), std::string().capacity()) << start;
  }
}

TEST(FrameReader, WhatIsRefusedLateIsLetGo) {
  FrameReader reader(kAnswerFrame);
  reader.take(header(1 << 20) + "{\"value\":\"" + std::string(100'000, 'x'));
  EXPECT_GE(reader.frame().text.capacity(), 100'000U);
  EXPECT_EQ(reader.take("\"]"), State::refused);
  EXPECT_EQ(reader.frame().text.capacity(), std::string().capacity());
}

TEST(FrameReader, WhatIsTooDeepIsTheResultsFault) {
  FrameReader reader(kAnswerFrame);
  EXPECT_EQ(reader.take(header(1 << 20) + "{\"value\":" + std::string(kMaxJsonDepth + 1, '[')), State::refused);
  EXPECT_EQ(reader.refusal().code, errors::result_not_json.code);
  EXPECT_NE(reader.refusal().message.find("499 levels deep"), std::string::npos);
}

TEST(FrameReader, OneFrameIsAll) {
  FrameReader together(kAnswerFrame);
  EXPECT_EQ(together.take(framed("{}") + "x"), State::refused);
  FrameReader apart(kAnswerFrame);
  EXPECT_EQ(apart.take(framed("{}")), State::whole);
  EXPECT_EQ(apart.take("x"), State::refused);
}

TEST(FrameReader, AnEmptyFrameIsNoAnswer) {
  FrameReader reader(kAnswerFrame);
  EXPECT_EQ(reader.take(header(0)), State::refused);
}

TEST(FrameReader, BytesAreNotLookedInto) {
  FrameReader reader(kProgramFrame);
  EXPECT_EQ(reader.take(framed("\x7f"
                               "ELF")),
            State::whole);
  EXPECT_EQ(reader.frame().text,
            "\x7f"
            "ELF");
}

}  // namespace
}  // namespace infra::worker
