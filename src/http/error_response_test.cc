// Each kind of error has its status, and its body and headers say what a client can do.
#include "http/error_response.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "core/error_codes.h"
#include "http/test_api.h"

namespace infra::http {
namespace {

TEST(ErrorResponse, EachKindHasItsStatus) {
  const std::pair<ErrorKind, int> statuses[] = {
      {ErrorKind::invalid, 400},      {ErrorKind::unusable, 422},    {ErrorKind::unauthorized, 401},
      {ErrorKind::not_found, 404},    {ErrorKind::forbidden, 403},   {ErrorKind::method_not_allowed, 405},
      {ErrorKind::conflict, 409},     {ErrorKind::too_large, 413},   {ErrorKind::unsupported_media, 415},
      {ErrorKind::rate_limited, 429}, {ErrorKind::unavailable, 503}, {ErrorKind::timeout, 504},
      {ErrorKind::not_set_up, 501},   {ErrorKind::internal, 500}};
  for (const auto& [kind, status] : statuses) EXPECT_EQ(status_of({errors::internal.as(kind), "A sentence."}), status);
}

TEST(ErrorResponse, SaysWhatWhichRequestAndWhenToComeBack) {
  const RequestId id{"r"};
  const auto plain = error_response({errors::invalid_json, "It is \"wrong\" \xff."}, id);
  EXPECT_EQ(plain.body,
            "{\"error\":\"It is \\\"wrong\\\" \xef\xbf\xbd.\",\"code\":\"invalid_json\",\"requestId\":\"r\"}");
  EXPECT_FALSE(plain.headers.find("Retry-After"));
  EXPECT_FALSE(plain.headers.find("WWW-Authenticate"));
  const auto later = error_response({errors::shutting_down, "Later.", std::chrono::seconds{7}}, id, &id);
  EXPECT_EQ(later.headers.find("Retry-After"), "7");
  EXPECT_EQ(boost::json::parse(later.body).at("jobId"), "r");
  EXPECT_EQ(error_response({errors::unauthorized, "Key."}, id).headers.find("WWW-Authenticate"), "Bearer");
}

TEST(ErrorResponse, AHandlerThatThrowsIsA500ThatTellsNothingOfWhy) {
  TestApi api;
  api.add_function("f");
  api.worker.outcome = [](const Job&) -> std::optional<JobResult> {
    throw std::runtime_error("a secret of the house");
  };
  const auto answer = api.run("f", "1");
  expect_error(answer, 500, "internal", "its log has this request id");
  EXPECT_EQ(answer.body.find("secret"), std::string::npos);
}

}  // namespace
}  // namespace infra::http
