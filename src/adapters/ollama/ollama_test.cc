// Both adapters against a small server that speaks the API of Ollama.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <atomic>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json.hpp>
#include <thread>

#include "adapters/ollama/ollama_ai_proxy.h"
#include "adapters/ollama/ollama_model_catalog.h"
#include "adapters/ollama/token_count.h"
#include "core/mutex.h"
#include "net/http/beast_http_server.h"
#include "net/http/curl_http_client.h"
#include "support/manual_clock.h"

namespace infra {
namespace {

net::Response plain(const Error& error) {
  return {.status = 500, .headers = {}, .body = error.message};
}

// What the node answers, and what it was asked.
class Node {
 public:
  explicit Node(net::EventLoops& loops)
      : server_(loops, {}, [this](net::Request& request) { return answer(request); }, plain) {
    EXPECT_TRUE(server_.start());
  }
  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(server_.port()); }
  void stop() { server_.close(); }

  void say(int status, std::string type, std::string body) {
    const MutexLock lock(mutex_);
    status_ = status;
    type_ = std::move(type);
    body_ = std::move(body);
  }
  // Requests for /api/chat are heard and never answered.
  void wait_for_asked(int count) {
    const MutexLock lock(mutex_);
    while (asked_ < count) asked_changed_.wait(mutex_);
  }
  std::string last_body() {
    const MutexLock lock(mutex_);
    return last_body_;
  }

 private:
  Task<net::Response> answer(net::Request& request) {
    auto body = co_await net::read_all(*request.body, 1 << 21);
    net::Response response;
    {
      const MutexLock lock(mutex_);
      last_body_ = request.method + " " + request.path + " " + body.value_or("?");
      response.status = status_;
      response.headers.add("Content-Type", type_);
      response.body = body_;
      ++asked_;
    }
    asked_changed_.notify_all();
    if (request.path == "/api/chat") {
      boost::asio::steady_timer never(co_await boost::asio::this_coro::executor, std::chrono::hours(1));
      co_await never.async_wait(boost::asio::use_awaitable);
    }
    co_return response;
  }

  Mutex mutex_;
  CondVar asked_changed_;
  int status_ INFRA_GUARDED_BY(mutex_) = 200;
  std::string type_ INFRA_GUARDED_BY(mutex_) = "application/json";
  std::string body_ INFRA_GUARDED_BY(mutex_) = "{}";
  std::string last_body_ INFRA_GUARDED_BY(mutex_);
  int asked_ INFRA_GUARDED_BY(mutex_) = 0;
  net::BeastHttpServer server_;
};

Task<void> send_into(net::HttpClient& client, net::ClientRequest request, Result<net::Response>& out) {
  out = co_await client.send(std::move(request));
}

Task<void> list_into(OllamaModelCatalog& catalog, ModelList& out) {
  out = co_await catalog.list();
}

class OllamaTest : public testing::Test {
 protected:
  ~OllamaTest() override {
    endpoint_.reset();
    node_.stop();
  }

  ModelList models() {
    OllamaModelCatalog catalog(client_, node_.url() + "/", milliseconds(2000));
    ModelList out;
    loops_.run_blocking(list_into(catalog, out));
    return out;
  }

  void serve(AiProxyLimits limits = {}) {
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    ASSERT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&address), size), 0);
    ASSERT_EQ(::listen(listener, 16), 0);
    ASSERT_EQ(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), 0);
    url_ = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    proxy_ = std::make_unique<OllamaAiProxy>(loops_, client_, clock_, node_.url(), limits);
    endpoint_ = proxy_->serve(listener);
  }

  Result<net::Response> call(std::string method, std::string path, std::string body) {
    Result<net::Response> out;
    net::ClientRequest request{.method = std::move(method), .url = url_ + path, .body = std::move(body)};
    loops_.run_blocking(send_into(client_, std::move(request), out));
    return out;
  }
  int status(std::string method, std::string path, std::string body = "{}") {
    const auto answer = call(std::move(method), std::move(path), std::move(body));
    return answer ? answer->status : 0;
  }

  net::EventLoops loops_{2, 1};
  net::CurlHttpClient client_{loops_};
  ManualClock clock_;
  Node node_{loops_};
  std::string url_;
  std::unique_ptr<OllamaAiProxy> proxy_;
  std::unique_ptr<AiEndpoint> endpoint_;
};

TEST_F(OllamaTest, ListsTheNodesModels) {
  node_.say(
      200, "application/json",
      R"({"models":[{"name":"llama3:8b","model":"llama3:8b","size":4661224676,"details":{"family":"llama"}},7,{"name":"x"}]})");
  const auto list = models();
  EXPECT_EQ(list.warning, "");
  ASSERT_EQ(list.models.size(), 2u);
  EXPECT_EQ(list.models[0].id, "llama3:8b");
  EXPECT_EQ(list.models[0].size_bytes, 4'661'224'676);
  EXPECT_EQ(list.models[0].details_json, R"({"family":"llama"})");
  EXPECT_EQ(list.models[0].status, "available");
  EXPECT_EQ(list.models[1].size_bytes, std::nullopt);
  EXPECT_EQ(list.models[1].details_json, "{}");
  EXPECT_EQ(node_.last_body(), "GET /api/tags ");
}

TEST_F(OllamaTest, FallsBackAndSaysWhy) {
  const auto expect_fallback = [&](std::string_view why) {
    const auto list = models();
    ASSERT_EQ(list.models.size(), 1u);
    EXPECT_EQ(list.models[0].id, "llama3:8b");
    EXPECT_EQ(list.models[0].name, "llama3:8b (Default)");
    EXPECT_EQ(list.models[0].status, "fallback");
    EXPECT_NE(list.warning.find(why), std::string::npos) << list.warning;
  };
  node_.say(500, "text/plain", "");
  expect_fallback("status 500");
  node_.say(200, "application/json", "{\"models\":3}");
  expect_fallback("no list of models");
  node_.stop();
  expect_fallback("127.0.0.1");
}

TEST(CountTokens, ReadsTheFinalObjectOnly) {
  EXPECT_EQ(count_tokens("{\"eval_count\":100}\n{\"done\":true,\"prompt_eval_count\":3,\"eval_count\":4}\n"), 7);
  EXPECT_EQ(count_tokens("{\n \"prompt_eval_count\":3,\n \"eval_count\":4\n}"), 7);
  EXPECT_EQ(count_tokens(R"({"response":"cut \ud83d","prompt_eval_count":3,"eval_count":4})"), 7);
  EXPECT_EQ(count_tokens(R"({"eval_count":-5,"prompt_eval_count":"9"})"), 0);
  EXPECT_EQ(count_tokens(""), 0);
  EXPECT_EQ(count_tokens("[1]"), 0);
}

TEST_F(OllamaTest, PassesGenerationsOnAndCountsTokens) {
  serve();
  const std::string stream =
      "{\"response\":\"a\",\"done\":false}\n{\"done\":true,\"prompt_eval_count\":10,\"eval_count\":5}\n";
  node_.say(200, "application/x-ndjson", stream);
  const auto answer = call("POST", "/api/generate", R"({"prompt":"hi","eval_count":1000})");
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->body, stream);
  EXPECT_EQ(answer->headers.find("Content-Type"), "application/x-ndjson");
  EXPECT_EQ(node_.last_body(), R"(POST /api/generate {"prompt":"hi","eval_count":1000})");
  EXPECT_EQ(endpoint_->take_tokens(), 15);
  EXPECT_EQ(endpoint_->take_tokens(), 0);

  node_.say(404, "application/json", R"({"error":"model not found","eval_count":9})");
  EXPECT_EQ(status("POST", "/api/generate"), 404);
  EXPECT_EQ(endpoint_->take_tokens(), 0);
}

TEST_F(OllamaTest, LetsNothingElseThrough) {
  serve({.max_request_bytes = 100});
  EXPECT_EQ(status("POST", "/api/pull"), 404);
  EXPECT_EQ(status("POST", "/api/generate/../delete"), 404);
  EXPECT_EQ(status("GET", "/api/generate", ""), 405);
  EXPECT_EQ(status("POST", "/api/generate", std::string(101, ' ')), 413);
  EXPECT_EQ(node_.last_body(), "");
  node_.stop();
  const auto answer = call("POST", "/api/generate", "{}");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 502);
  EXPECT_TRUE(boost::json::parse(answer->body).at("error").is_string());
}

TEST_F(OllamaTest, BoundsTheRate) {
  serve({.max_per_minute = 3});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(status("POST", "/api/generate"), 200);
  const auto refused = call("POST", "/api/generate", "{}").value();
  EXPECT_EQ(refused.status, 429);
  EXPECT_TRUE(refused.headers.find("Retry-After"));
  clock_.advance(std::chrono::seconds(61));
  EXPECT_EQ(status("POST", "/api/generate"), 200);
}

TEST_F(OllamaTest, BoundsCallsInFlightAndDiesUnderThem) {
  serve({.max_concurrent = 2});
  std::vector<int> statuses(2, -1);
  std::vector<std::thread> callers;
  for (auto& slot : statuses) callers.emplace_back([&] { slot = status("POST", "/api/chat"); });
  node_.wait_for_asked(2);
  EXPECT_EQ(status("POST", "/api/generate"), 429);
  endpoint_.reset();
  for (auto& caller : callers) caller.join();
  for (const int seen : statuses) EXPECT_TRUE(seen == 0 || seen == 503) << seen;  // broken off, or told so
  EXPECT_EQ(status("POST", "/api/generate"), 0);
}

// Whatever is asked: a refusal costs this program as much as a generation that it passes on.
TEST_F(OllamaTest, AFloodWaitsUnreadAndGoesOnAtItsPace) {
  const TokenPace pace{.burst = 4, .interval = milliseconds(100)};
  constexpr int kAsked = 10;
  serve({.requests = pace});
  std::atomic<int> answered = 0;
  std::thread flood([&] {
    for (int i = 0; i < kAsked; ++i) {
      EXPECT_EQ(status("GET", "/api/generate", ""), 405);
      ++answered;
    }
  });
  clock_.await_sleepers(1);
  EXPECT_LT(answered, pace.burst);
  milliseconds took{0};
  for (; answered < kAsked; took += milliseconds(10)) {
    clock_.advance(milliseconds(10));
    std::this_thread::sleep_for(milliseconds(1));
  }
  flood.join();
  EXPECT_GE(took, pace.interval * (1 + kAsked - pace.burst));  // the connection counts, too
}

TEST_F(OllamaTest, WhoWaitsForItsTurnIsLetGoWithTheEndpoint) {
  serve({.requests = {.burst = 1, .interval = std::chrono::hours(1)}});
  int seen = -1;
  std::thread caller([&] { seen = status("POST", "/api/generate"); });
  clock_.await_sleepers(2);  // the request, and the next connection
  endpoint_.reset();
  caller.join();
  EXPECT_TRUE(seen == 0 || seen == 503) << seen;
  EXPECT_EQ(node_.last_body(), "");
}

TEST_F(OllamaTest, AnEndpointMayDieOnAnEventThread) {
  serve();
  EXPECT_EQ(status("POST", "/api/generate"), 200);
  loops_.run_blocking([](std::unique_ptr<AiEndpoint>& endpoint) -> Task<void> {
    endpoint.reset();
    co_return;
  }(endpoint_));
  EXPECT_EQ(status("POST", "/api/generate"), 0);
}

}  // namespace
}  // namespace infra
