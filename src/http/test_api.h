// The HTTP interface over the real use cases, on engines in memory: a request goes in without a socket, and what comes
// out is what the server would write. Time stands still until a test moves it.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json.hpp>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adapters/memory/memory_concurrency_limiter.h"
#include "adapters/memory/memory_rate_limiter.h"
#include "adapters/memory/memory_worker_registry.h"
#include "app/advise_memory.h"
#include "app/hourly_series.h"
#include "app/read_series.h"
#include "http/api.h"
#include "http/test_worker.h"
#include "ports/model_catalog.h"
#include "support/fake_configuration.h"
#include "support/fake_ports.h"
#include "support/manual_clock.h"
#include "support/memory_objects.h"
#include "support/memory_staging.h"
#include "support/run_task.h"
#include "support/spawning_executor.h"

namespace infra::http {

inline constexpr std::string_view kKey = "the-right-key";
inline constexpr std::string_view kUnknown = "01890000-0000-7000-8000-000000000000";  // a well-formed id of nothing

inline constexpr web::Asset kAssets[] = {
    {.name = "index.html",
     .type = "text/html; charset=utf-8",
     .etag = R"("page")",
     .encoding = "gzip",
     .content = "<page>"},
    {.name = "main-ABC.js",
     .type = "text/javascript; charset=utf-8",
     .etag = R"("script")",
     .encoding = "gzip",
     .content = "run()",
     .immutable = true},
    {.name = "manifest.json", .type = "application/json", .etag = R"("list")", .encoding = {}, .content = "[]"}};

// A body that arrives in small pieces and counts how much of it was asked for.
class TestBody final : public net::BodyStream {
 public:
  TestBody(std::string_view bytes, std::optional<std::uint64_t> length) : bytes_(bytes), length_(length) {}
  Task<Result<std::size_t>> read(std::span<char> buffer) override {
    const std::size_t size = std::min({buffer.size(), bytes_.size() - read_, kPiece});
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(read_), size, buffer.begin());
    read_ += size;
    was_read = true;
    co_return size;
  }
  [[nodiscard]] std::optional<std::uint64_t> content_length() const override { return length_; }
  bool was_read = false;

 private:
  static constexpr std::size_t kPiece = 8000;
  std::string_view bytes_;
  std::optional<std::uint64_t> length_;
  std::size_t read_ = 0;
};

struct Sent {
  std::string method = "GET";
  std::string target;  // path and query
  std::string body{};
  std::vector<net::Header> headers{};
  std::optional<std::string> key{kKey};
  std::string peer = "192.0.2.1";
  bool chunked = false;                      // then no length is announced
  std::optional<std::uint64_t> announced{};  // in place of the body's own length
};

inline Sent json_request(std::string method, std::string target, std::string body,
                         std::vector<net::Header> headers = {}) {
  headers.emplace_back("Content-Type", "application/json");
  return {
      .method = std::move(method), .target = std::move(target), .body = std::move(body), .headers = std::move(headers)};
}

struct Answer {
  int status = 0;
  net::Headers headers;
  std::string body;
  bool body_was_read = false;

  [[nodiscard]] std::string header(std::string_view name) const { return std::string(headers.find(name).value_or("")); }
  [[nodiscard]] bool has(std::string_view name) const { return headers.find(name).has_value(); }
  [[nodiscard]] boost::json::value json() const { return boost::json::parse(body); }
  [[nodiscard]] std::string text(std::string_view name) const { return json().at(name).as_string().c_str(); }
  [[nodiscard]] std::string code() const { return text("code"); }
  [[nodiscard]] std::string error() const { return text("error"); }
};

inline void PrintTo(const Answer& answer, std::ostream* out) {
  *out << answer.status << ' ' << answer.body.substr(0, 400);
}

// An error as the contract has it.
inline void expect_error(const Answer& answer, int status, std::string_view code, std::string_view says = "") {
  ASSERT_EQ(answer.status, status) << answer.body;
  EXPECT_EQ(answer.header("Content-Type"), "application/json; charset=utf-8");
  EXPECT_EQ(answer.code(), code) << answer.body;
  EXPECT_NE(answer.error().find(says), std::string::npos) << answer.body << " does not say " << says;
  EXPECT_EQ(answer.text("requestId"), answer.header("x-request-id"));
  EXPECT_EQ(uuid_version(answer.header("x-request-id")), 7);
}

class TestModels final : public ModelCatalog {
 public:
  ModelList found;
  Task<ModelList> list() override { co_return found; }
};

inline Task<std::string> all_of(ByteSource& source) {
  std::string bytes(static_cast<std::size_t>(source.size()), '\0');
  const auto got = co_await source.read(bytes);
  bytes.resize(got.value_or(0));
  co_return bytes;
}

struct TestApiOptions {
  RatePolicy rate{.limit = 0};
  std::optional<WorkerId> only_worker{};
  bool metrics_public = false;
  std::vector<std::string> cors_origins{};
  int trusted_proxy_hops = 0;
  std::vector<HealthProbe*> probes{};
  int max_waiting = 100;
  Pause after_wrong_key{};
  bool configuration = true;
};

class TestApi {
 public:
  explicit TestApi(TestApiOptions options = {})
      : limiter_(options.rate, clock),
        claims_(options.configuration ? &configuration : nullptr, ids_),
        known_keys_(options.configuration ? &configuration : nullptr, ids_, spawning_, clock),
        keys_(options.configuration ? &configuration : nullptr, known_keys_, ids_, random_, clock),
        audit_(options.configuration ? &configuration : nullptr, spawning_, clock),
        invoke_(functions, worker, worker, clock, events, metrics,
                {.limiter = concurrency_,
                 .max_waiting = options.max_waiting,
                 .overload = &overload,
                 .quarantine = &quarantine},
                &names_, &feed),
        health_(options.probes, std::chrono::milliseconds(500), executor_, clock),
        only_worker_(options.only_worker),
        api_(settings_of(options, known_keys_, audit_), routes(options.metrics_public), limiter_, ids_, clock, metrics,
             events) {}
  TestApi(const TestApi&) = delete;
  TestApi& operator=(const TestApi&) = delete;

  Answer send(const Sent& sent) {
    net::Request request{
        .method = sent.method, .path = {}, .query = {}, .headers = {}, .peer = sent.peer, .arrived = {}};
    const auto mark = sent.target.find('?');
    request.path = sent.target.substr(0, mark);
    if (mark != std::string::npos) request.query = sent.target.substr(mark + 1);
    if (sent.key) request.headers.add("x-api-key", *sent.key);
    for (const auto& [name, value] : sent.headers) request.headers.add(name, value);
    TestBody body(sent.body, sent.chunked ? std::nullopt : std::optional(sent.announced.value_or(sent.body.size())));
    request.body = &body;
    request.arrived = clock.steady_now();
    auto response = run_task(api_.handle(request));
    if (response.afterwards) response.afterwards();
    stream = std::move(response.stream);
    if (response.file) response.body = run_task(all_of(*response.file));
    return {response.status, std::move(response.headers), std::move(response.body), body.was_read};
  }
  Answer get(std::string target) { return send({.target = std::move(target)}); }
  Answer send_json(std::string method, std::string target, std::string body) {
    return send(json_request(std::move(method), std::move(target), std::move(body)));
  }
  Answer run(const std::string& function, const std::string& input, std::vector<net::Header> headers = {}) {
    return send(json_request("POST", "/run", R"({"functionId":")" + function + R"(","inputData":)" + input + "}",
                             std::move(headers)));
  }
  [[nodiscard]] std::vector<Route> routes(bool metrics_public = false) {
    return controller_routes(
        {names_, audit_, functions_handler_, runs_handler_, logs_handler_, advice_handler_, series_handler_,
         monitoring_handler_, system_handler_, keys_handler_, dashboard_handler_, events_handler_},
        metrics_public);
  }
  // What never became a request.
  net::Response refuse(const Error& error) { return api_.refuse(error); }

  Function& add_function(const std::string& id) {
    Function function;
    function.id = {id};
    function.name = id;
    function.code = {.key = "functions/" + id + "/1.zip", .sha256 = "old"};
    function.uploaded_at = function.updated_at = clock.now();
    return functions.rows[{id}] = function;
  }
  // Of a run whose output files are those of its job's start `output_attempt`.
  void add_log_row(const FunctionId& function, const RequestId& request, std::optional<int> output_attempt) {
    LogRow row;
    row.function_id = function;
    row.request_id = request;
    row.timestamp = log_timestamp(request, clock.now());
    row.output_attempt = output_attempt;
    logs.rows[{function.value, row.timestamp}] = row;
  }
  [[nodiscard]] std::vector<std::string> told() const {
    std::vector<std::string> messages;
    for (const auto& event : events.newest_first()) messages.push_back(event.message);
    return messages;
  }

  ManualClock clock;
  fakes::Journal journal;
  fakes::FakeFunctions functions{journal};
  testing::MemoryObjects code;
  fakes::FakeQuarantine quarantine;
  testing::MemoryStaging staging;
  fakes::FakeReader bundle;  // what every ZIP holds
  fakes::WriteBudget writes;
  fakes::FakeConfiguration configuration{writes};
  fakes::FakeLogs logs{journal};
  MemoryWorkerRegistry workers{clock};
  TestModels models;
  Metrics metrics;
  EventRing events{UuidRandom{}, [this] { return clock.now(); }};
  TestWorker worker{journal, logs, clock, events, metrics};
  Overload overload{[this] { return clock.steady_now(); }};
  bool draining = false;
  GaugeSample gauges{};
  app::EventFeed feed{clock, "feed"};
  app::HourlySeries series{configuration, clock, metrics};
  std::shared_ptr<net::StreamedBody> stream;  // of the last answer, if it is one

 private:
  static ApiSettings settings_of(const TestApiOptions& options, app::KnownKeys& keys, app::Audit& audit) {
    return {.api_key = std::string(kKey),
            .metrics_public = options.metrics_public,
            .cors_origins = options.cors_origins,
            .trusted_proxy_hops = options.trusted_proxy_hops,
            .rate = options.rate,
            .after_wrong_key = options.after_wrong_key,
            .keys = &keys,
            .audit = &audit};
  }
  Task<GaugeSample> sample() { co_return gauges; }

  fakes::InlineExecutor executor_;
  fakes::SpawningExecutor spawning_;
  fakes::CountingRandom random_;
  app::IdSource ids_{clock, random_};
  MemoryRateLimiter limiter_;
  MemoryConcurrencyLimiter concurrency_{clock};
  app::DeployFunction deploy_{functions, code, bundle, executor_, clock, ids_, events};
  app::NameClaims claims_;
  app::KnownKeys known_keys_;
  app::Keys keys_;
  app::Audit audit_;
  app::FunctionNames names_{claims_, functions, clock};
  app::DeployByName deploy_by_name_{deploy_, claims_, functions, clock};
  app::InvokeFunction invoke_;
  app::ReadLogs read_logs_{functions, logs};
  app::ReadOutputFile read_output_file_{functions, logs, worker, code, executor_};
  app::AdviseMemory advise_{functions, logs, deploy_, clock};
  app::ReadSeries read_series_{functions, series, clock};
  app::HealthMonitor health_;
  FunctionsHandler functions_handler_{deploy_, deploy_by_name_, functions, staging, clock, &quarantine, audit_};
  RunsHandler runs_handler_{invoke_, worker};
  LogsHandler logs_handler_{read_logs_, read_output_file_};
  AdviceHandler advice_handler_{advise_};
  SeriesHandler series_handler_{read_series_};
  MonitoringHandler monitoring_handler_{health_,
                                        metrics,
                                        events,
                                        {.draining = [this] { return draining; },
                                         .gauges = [this] { return sample(); },
                                         .overload = &overload,
                                         .configuration = [this] { return claims_.possible(); }}};
  const std::optional<WorkerId> only_worker_;
  SystemHandler system_handler_{workers, models, clock, {}, only_worker_};
  KeysHandler keys_handler_{keys_, audit_};
  DashboardHandler dashboard_handler_{kAssets};
  EventsHandler events_handler_{feed, names_, known_keys_, clock, [this] { return system_handler_.worker_rows(); }};
  Api api_;
};

}  // namespace infra::http
