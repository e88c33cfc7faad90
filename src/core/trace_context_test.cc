// Only what the W3C's text allows is a trace; everything else must begin a new one.
#include "core/trace_context.h"

#include <gtest/gtest.h>

namespace infra {
namespace {

constexpr std::string_view kTrace = "0af7651916cd43dd8448eb211c80319c";
const std::string kPlain = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

TEST(TraceContextTest, WhatIsReadIsWrittenAgain) {
  const auto context = parse_traceparent(kPlain);
  ASSERT_TRUE(context);
  EXPECT_TRUE(context->sampled());
  EXPECT_EQ(to_hex(context->trace), kTrace);
  EXPECT_EQ(to_hex(context->span), "b7ad6b7169203331");
  EXPECT_EQ(to_traceparent(*context), kPlain);
  EXPECT_EQ(trace_id_in(kPlain), kTrace);
  EXPECT_TRUE(is_trace_id(kTrace));
}

TEST(TraceContextTest, UnknownFlagsAreDropped) {
  EXPECT_EQ(to_traceparent(*parse_traceparent(kPlain.substr(0, 53) + "ff")), kPlain.substr(0, 53) + "03");
  EXPECT_FALSE(parse_traceparent(kPlain.substr(0, 53) + "fe")->sampled());
}

TEST(TraceContextTest, OfALaterVersionTheKnownPartsAreRead) {
  for (const std::string& later :
       {"01" + kPlain.substr(2), "fe" + kPlain.substr(2) + "-more", "cc" + kPlain.substr(2) + "-"}) {
    const auto context = parse_traceparent(later);
    ASSERT_TRUE(context) << later;
    EXPECT_EQ(to_traceparent(*context), kPlain);
  }
}

TEST(TraceContextTest, WhatTheTextDoesNotAllowIsNone) {
  const std::string zeros(32, '0');
  for (const std::string& wrong : {
           std::string(),
           std::string("00"),
           kPlain + "-",
           kPlain + "-more",
           kPlain.substr(0, 54),
           " " + kPlain,
           "ff" + kPlain.substr(2),
           "0g" + kPlain.substr(2),
           "01" + kPlain.substr(2) + ".more",
           std::string("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01"),
           "00-" + zeros + "-b7ad6b7169203331-01",
           "00-" + std::string(kTrace) + "-0000000000000000-01",
           "00-" + std::string(kTrace) + "-b7ad6b7169203331-0x",
           "00-" + std::string(kTrace) + "-b7ad6b716920333-101",
           "00_" + std::string(kTrace) + "_b7ad6b7169203331_01",
       }) {
    EXPECT_FALSE(parse_traceparent(wrong)) << wrong;
  }
  EXPECT_FALSE(is_trace_id(zeros));
  EXPECT_FALSE(is_trace_id(std::string(kTrace) + "0"));
  EXPECT_FALSE(is_trace_id("0AF7651916CD43DD8448EB211C80319C"));
  EXPECT_EQ(trace_id_in("t"), "");
}

}  // namespace
}  // namespace infra
