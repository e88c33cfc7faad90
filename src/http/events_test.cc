// GET /events over the real feed: who hears what, how much of it there is, and how it looks on the wire.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "http/test_api.h"

namespace infra::http {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

class EventsTest : public ::testing::Test {
 protected:
  EventsTest() {
    api_.add_function("f");
    api_.add_function("g");
  }
  // The stream of an answer that begins as all do.
  std::shared_ptr<net::StreamedBody> listen(const std::string& query, std::vector<net::Header> headers = {}) {
    return begun(api_.send({.target = "/events" + query, .headers = std::move(headers)}));
  }
  std::shared_ptr<net::StreamedBody> begun(const Answer& answer) {
    EXPECT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.header("Content-Type"), "text/event-stream; charset=utf-8");
    EXPECT_EQ(answer.header("Cache-Control"), "no-store");
    auto stream = std::move(api_.stream);
    EXPECT_EQ(run_task(stream->next()), "retry: 2000\n\n");
    return stream;
  }
  std::string next(net::StreamedBody& stream) {
    api_.clock.advance(std::chrono::milliseconds(20));
    return run_task(stream.next());
  }
  void run(const std::string& function) {
    EXPECT_EQ(api_.send_json("POST", "/run", R"({"functionId":")" + function + R"("})").status, 200);
  }

  TestApi api_;
};

TEST_F(EventsTest, ARunIsHeardOfAsItHappens) {
  const auto stream = listen("?kinds=run");
  run("f");
  const std::string piece = next(*stream);
  EXPECT_THAT(piece, StartsWith("id: feed.0-1\nevent: run\ndata: {\"requestId\":"));
  EXPECT_THAT(piece, HasSubstr(R"("functionId":"f","phase":"accepted","at":")"));
  EXPECT_TRUE(piece.ends_with("}\n\n"));
}

TEST_F(EventsTest, FunctionsAndKindsChoose) {
  const auto of_g = listen("?kinds=run&functions=g");
  const auto logs = listen("?kinds=log");
  run("f");
  api_.feed.tell(line_printed({"f"}, {"r"}, OutputStream::out, "hello", api_.clock.now()));
  run("g");
  EXPECT_THAT(next(*of_g), AllOf(HasSubstr(R"("functionId":"g")"), Not(HasSubstr(R"("functionId":"f")"))));
  EXPECT_THAT(next(*logs), StartsWith("id: feed.0-2\nevent: log\ndata: {\"requestId\":\"r\",\"functionId\":\"f\","
                                      "\"stream\":\"stdout\",\"text\":\"hello\","));
}

TEST_F(EventsTest, WorkersAreToldOfAtOnceAndAgain) {
  Heartbeat beat;
  beat.worker_id = {"w"};
  beat.received_at = api_.clock.now();
  run_task(api_.workers.record(beat));
  const auto stream = listen("?kinds=worker");
  EXPECT_THAT(next(*stream), StartsWith("event: worker\ndata: {\"workerId\":\"w\","));
  api_.clock.advance(std::chrono::seconds(5));
  EXPECT_THAT(next(*stream), StartsWith("event: worker\n"));
}

TEST_F(EventsTest, AQuietStreamBeats) {
  const auto stream = listen("?kinds=run");
  api_.clock.advance(std::chrono::seconds(15));
  EXPECT_EQ(next(*stream), ": beat\n\n");
}

TEST_F(EventsTest, WhoComesBackGoesOnOrLearnsOfTheGap) {
  {
    const auto stream = listen("?kinds=run");
    run("f");
    run("g");
  }
  const auto again = listen("?kinds=run", {{"Last-Event-ID", "feed.0-1"}});
  EXPECT_THAT(next(*again), StartsWith("id: feed.0-2\n"));
  const auto stranger = listen("?kinds=run", {{"Last-Event-ID", "another.0-1"}});
  EXPECT_EQ(next(*stranger), "event: gap\ndata: {\"lost\":null}\n\n");
}

TEST_F(EventsTest, AKeyForCertainFunctionsHearsOfTheseAlone) {
  const auto made = api_.send_json("POST", "/keys", R"({"name":"k","scopes":["read"],"functions":["g"]})");
  const std::string key = made.text("key");
  const auto stream = begun(api_.send({.target = "/events", .key = key}));
  run("f");
  run("g");
  EXPECT_THAT(next(*stream), AllOf(HasSubstr(R"("functionId":"g")"), Not(HasSubstr(R"("functionId":"f")")),
                                   Not(HasSubstr("event: worker"))));
  for (const char* beyond : {"f", "g,f", "name:nobody"}) {
    expect_error(api_.send({.target = std::string("/events?functions=") + beyond, .key = key}), 403, "key_not_allowed");
  }
}

TEST_F(EventsTest, AStreamEndsWithItsKey) {
  const auto made = api_.send_json("POST", "/keys", R"({"name":"k","scopes":["read"]})");
  const auto stream = begun(api_.send({.target = "/events?kinds=run", .key = made.text("key")}));
  api_.clock.advance(std::chrono::seconds(6));
  run("f");
  EXPECT_THAT(next(*stream), HasSubstr(R"("functionId":"f")")) << "it still holds";
  ASSERT_EQ(api_.send({.method = "DELETE", .target = "/keys/" + made.text("id")}).status, 200);
  run("g");
  api_.clock.advance(std::chrono::seconds(5));
  EXPECT_THAT(next(*stream), IsEmpty());
}

TEST_F(EventsTest, AStoppedStreamEnds) {
  const auto stream = listen("?kinds=run");
  stream->stop();
  EXPECT_THAT(next(*stream), IsEmpty());
}

TEST_F(EventsTest, WhatIsAskedForIsChecked) {
  expect_error(api_.get("/events?kinds=run,walk"), 400, "invalid_kinds", "run, log or worker");
  expect_error(api_.get("/events?functions=,"), 400, "invalid_functions", "1 to 100");
  std::string many = "/events?functions=f";
  for (int i = 0; i < 100; ++i) many += ",f";
  expect_error(api_.get(many), 400, "invalid_functions");
  expect_error(api_.get("/events?functions=name:nobody"), 404, "name_not_found");
  expect_error(api_.send({.target = "/events", .key = std::nullopt}), 401, "unauthorized");
}

TEST_F(EventsTest, AnAddressHasEightAndTheProgramSixtyFour) {
  std::vector<std::shared_ptr<net::StreamedBody>> streams;
  const auto listen_from = [&](const std::string& peer) {
    const Answer answer = api_.send({.target = "/events", .peer = peer});
    if (api_.stream) streams.push_back(std::move(api_.stream));
    return answer;
  };
  for (int i = 0; i < 8; ++i) EXPECT_EQ(listen_from("192.0.2.1").status, 200);
  expect_error(listen_from("192.0.2.1"), 429, "too_many_streams");
  for (int i = 8; i < 64; ++i) EXPECT_EQ(listen_from("192.0.2." + std::to_string(i)).status, 200);
  expect_error(listen_from("192.0.2.250"), 503, "event_streams_full");
  streams.clear();
  EXPECT_EQ(listen_from("192.0.2.1").status, 200);
}

}  // namespace
}  // namespace infra::http
