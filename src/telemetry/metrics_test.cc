// Names and labels that dashboards parse, and the bound on label values.
#include "telemetry/metrics.h"

#include <gtest/gtest.h>

namespace infra {
namespace {

bool has(const std::string& text, std::string_view line) {
  return text.find(line) != std::string::npos;
}

TEST(Metrics, CountsRequestsByRoutePattern) {
  Metrics metrics;
  metrics.request("GET", "/functions/:id", 200, 0.002);
  metrics.request("GET", "/functions/:id", 200, 0.002);
  const std::string text = metrics.render({});
  EXPECT_TRUE(has(text, R"(http_requests_total{method="GET",route="/functions/:id",status_code="200"} 2)")) << text;
  EXPECT_TRUE(
      has(text, R"(http_request_duration_seconds_count{method="GET",route="/functions/:id",status_code="200"} 2)"));
}

TEST(Metrics, BoundsFunctionLabels) {
  Metrics metrics;
  for (int i = 0; i < 1003; ++i) metrics.run({"f" + std::to_string(i)}, RunStatus::success, 2, 1.0);
  metrics.run({"f7"}, RunStatus::success, 2, 1.0);
  const std::string text = metrics.render({});
  EXPECT_TRUE(has(text, R"(function_invocations_total{functionId="other",status="SUCCESS"} 3)"));
  EXPECT_TRUE(has(text, R"(function_invocations_total{functionId="f7",status="SUCCESS"} 2)"));
  EXPECT_FALSE(has(text, "f1002"));
}

TEST(Metrics, RunWithoutHandlerTimeLeavesThatHistogramAlone) {
  Metrics metrics;
  metrics.run({"f"}, RunStatus::error, 2, std::nullopt);
  const std::string text = metrics.render({.queue = {{.ready = 5}}, .pools = {{"python", 2}}});
  EXPECT_TRUE(has(text, R"(function_duration_seconds_count{functionId="f",status="ERROR"} 1)"));
  EXPECT_FALSE(has(text, "function_handler_duration_seconds_count{"));
  EXPECT_TRUE(has(text, R"(job_queue_depth{state="ready"} 5)"));
  EXPECT_TRUE(has(text, R"(worker_pool_instances{runtime="python"} 2)"));
  EXPECT_FALSE(has(metrics.render({}), "job_queue_depth{"));
}

TEST(Metrics, AColdStartIsWhatTheHandlerDidNotTake) {
  Metrics metrics;
  JobResult result;
  result.duration_ms = 300;
  result.handler_ms = 100;
  metrics.job(Runtime::python, result);
  result.cold_start = true;
  metrics.job(Runtime::python, result);
  result.handler_ms.reset();
  metrics.job(Runtime::python, result);
  const std::string text = metrics.render({});
  EXPECT_TRUE(has(text, R"(worker_cold_starts_total{runtime="python"} 2)"));
  EXPECT_TRUE(has(text, R"(function_cold_start_seconds_count{runtime="python"} 1)"));
  EXPECT_TRUE(has(text, R"(function_cold_start_seconds_sum{runtime="python"} 0.2)"));
  EXPECT_TRUE(has(text, R"(worker_job_duration_seconds_count{runtime="python"} 3)"));
}

TEST(Metrics, WorkersAreLeftOutWhileNobodyKnowsThem) {
  Metrics metrics;
  GaugeSample sample;
  sample.workers = 2;
  EXPECT_TRUE(has(metrics.render(sample), "\nworkers_alive 2\n"));
  EXPECT_FALSE(has(metrics.render({}), "\nworkers_alive "));
}

}  // namespace
}  // namespace infra
