#include "adapters/ollama/ollama_ai_proxy.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <unordered_set>

#include "adapters/ollama/node_url.h"
#include "adapters/ollama/token_count.h"
#include "core/json_text.h"
#include "core/mutex.h"
#include "core/sliding_window.h"
#include "core/token_bucket.h"
#include "net/http/beast_http_server.h"
#include "telemetry/log.h"

namespace infra {

// Loops that stopped while a server closes would leave it waiting for ever, so the proxy outlasts them all.
class ServerCount {
 public:
  void add() {
    const MutexLock lock(mutex_);
    ++count_;
  }
  void remove() {
    const MutexLock lock(mutex_);
    if (--count_ == 0) none_.notify_all();
  }
  void wait_for_none() {
    const MutexLock lock(mutex_);
    while (count_ != 0) none_.wait(mutex_);
  }

 private:
  Mutex mutex_;
  CondVar none_;
  int count_ INFRA_GUARDED_BY(mutex_) = 0;
};

namespace {

constexpr std::size_t kMaxConnections = 16;
constexpr std::uint64_t kBodiesAtOnce = 4;  // that one instance may have in this program's memory

net::Response error_answer(int status, std::string_view message) {
  net::Response response{
      .status = status, .headers = {}, .body = fmt::format(R"({{"error":{}}})", json_quote(message))};
  response.headers.add("Content-Type", "application/json");
  return response;
}

// What the server itself refuses: requests that are broken, too large or too slow.
net::Response refuse(const Error& error) {
  switch (error.kind) {
    case ErrorKind::invalid:
      return error_answer(400, error.message);
    case ErrorKind::timeout:
      return error_answer(408, error.message);
    case ErrorKind::too_large:
      return error_answer(413, error.message);
    default:
      return error_answer(500, "The AI proxy failed.");
  }
}

// A generation under way, as the endpoint sees it: something that can be called off from any thread.
struct Flight {
  explicit Flight(const boost::asio::any_io_executor& executor)
      : called_off(executor, boost::asio::steady_timer::time_point::max()) {}
  boost::asio::steady_timer called_off;
};

// Shared by an endpoint and its requests, which may outlive it for a moment.
struct EndpointState {
  EndpointState(net::HttpClient& h, Clock& c, std::string url, const AiProxyLimits& l)
      : http(h), clock(c), node_url(std::move(url)), limits(l), requests(l.requests) {}

  net::HttpClient& http;
  Clock& clock;
  const std::string node_url;
  const AiProxyLimits limits;
  std::atomic<std::int64_t> tokens{0};

  Mutex mutex;
  TokenBucket requests INFRA_GUARDED_BY(mutex);
  std::unordered_set<std::shared_ptr<Signal>> waiting INFRA_GUARDED_BY(mutex);  // for their turn
  SlidingWindow window INFRA_GUARDED_BY(mutex);
  std::unordered_set<std::shared_ptr<Flight>> flights INFRA_GUARDED_BY(mutex);
  bool closed INFRA_GUARDED_BY(mutex) = false;

  // An answer if the request may not fly now.
  std::optional<net::Response> admit(const std::shared_ptr<Flight>& flight) {
    const MutexLock lock(mutex);
    if (closed) return error_answer(503, "The AI proxy is closing.");
    if (flights.size() >= static_cast<std::size_t>(limits.max_concurrent)) {
      return too_many(std::chrono::seconds(1),
                      fmt::format("At most {} generations run at a time.", limits.max_concurrent));
    }
    const auto decision =
        window.admit({.limit = limits.max_per_minute, .window = std::chrono::seconds(60)}, clock.steady_now());
    if (!decision.allowed) {
      return too_many(std::chrono::ceil<std::chrono::seconds>(decision.reset_after),
                      fmt::format("At most {} generations start a minute.", limits.max_per_minute));
    }
    flights.insert(flight);
    return std::nullopt;
  }

  void land(const std::shared_ptr<Flight>& flight) {
    const MutexLock lock(mutex);
    flights.erase(flight);
  }

  // Null if the turn has come, or never will.
  std::shared_ptr<Signal> line_up(SteadyTime& due) {
    const MutexLock lock(mutex);
    const SteadyTime now = clock.steady_now();
    due = closed ? now : requests.take(now);
    return due == now ? nullptr : *waiting.insert(clock.make_signal()).first;
  }

  void leave_line(const std::shared_ptr<Signal>& turn) {
    const MutexLock lock(mutex);
    waiting.erase(turn);
  }

  void call_off_all() {
    const MutexLock lock(mutex);
    closed = true;
    for (const auto& turn : waiting) turn->notify();
    for (const auto& flight : flights) {
      boost::asio::post(flight->called_off.get_executor(), [flight] { flight->called_off.cancel(); });
    }
  }

 private:
  static net::Response too_many(std::chrono::seconds retry_after, std::string_view message) {
    auto response = error_answer(429, message);
    response.headers.add("Retry-After", std::to_string(std::max<std::int64_t>(retry_after.count(), 1)));
    return response;
  }
};

using SharedState = std::shared_ptr<EndpointState>;

// In the air from construction on if `refusal` is empty; lands when the request's coroutine ends, however it does.
class Admission {
 public:
  Admission(SharedState state, const boost::asio::any_io_executor& executor)
      : state_(std::move(state)), flight_(std::make_shared<Flight>(executor)), refusal(state_->admit(flight_)) {}
  ~Admission() { state_->land(flight_); }
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;

  [[nodiscard]] const std::shared_ptr<Flight>& flight() const { return flight_; }

 private:
  SharedState state_;
  std::shared_ptr<Flight> flight_;

 public:
  std::optional<net::Response> refusal;
};

// A function that asks without pause waits here, and its connections with it: a request costs this program more than
// its sender, and nobody is charged for that.
Task<void> wait_for_turn(SharedState state) {
  SteadyTime due;
  const auto turn = state->line_up(due);
  if (turn == nullptr) co_return;
  co_await turn->wait_until(due);
  state->leave_line(turn);
}

Task<void> until_called_off(std::shared_ptr<Flight> flight) {
  co_await flight->called_off.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
}

Task<net::Response> forward(SharedState state, std::shared_ptr<Flight> flight, std::string path, std::string body) {
  using namespace boost::asio::experimental::awaitable_operators;
  net::ClientRequest request;
  request.method = "POST";
  request.url = node_endpoint(state->node_url, path);
  request.headers.add("Content-Type", "application/json");
  request.body = std::move(body);
  request.timeout = state->limits.max_generation;
  request.max_response_bytes = state->limits.max_answer_bytes;
  auto outcome = co_await (state->http.send(std::move(request)) || until_called_off(std::move(flight)));
  if (outcome.index() == 1) co_return error_answer(503, "The AI proxy is closing.");
  auto& answer = std::get<0>(outcome);
  if (!answer) co_return error_answer(502, answer.error().message);
  if (answer->status == 200) state->tokens += count_tokens(answer->body);
  net::Response response{.status = answer->status, .headers = {}, .body = std::move(answer->body)};
  response.headers.add("Content-Type", std::string(answer->headers.find("Content-Type").value_or("application/json")));
  co_return response;
}

Task<net::Response> handle(SharedState state, net::Request& request) {
  co_await wait_for_turn(state);
  if (request.path != "/api/generate" && request.path != "/api/chat") {
    co_return error_answer(404, "Only /api/generate and /api/chat are here.");
  }
  if (request.method != "POST") {
    auto response = error_answer(405, "Use POST.");
    response.headers.add("Allow", "POST");
    co_return response;
  }
  const Admission admission(state, co_await boost::asio::this_coro::executor);
  if (admission.refusal) co_return *admission.refusal;
  auto body = co_await net::read_all(*request.body, state->limits.max_request_bytes);
  if (!body) co_return refuse(body.error());
  co_return co_await forward(state, admission.flight(), request.path, std::move(*body));
}

// A server's place in the count, from before it starts to after it has closed.
class CountedServer {
 public:
  explicit CountedServer(std::shared_ptr<ServerCount> count) : count_(std::move(count)) { count_->add(); }
  CountedServer(CountedServer&&) = default;
  CountedServer& operator=(CountedServer&&) = delete;
  ~CountedServer() {
    if (!count_) return;
    server.reset();
    count_->remove();
  }

  std::unique_ptr<net::BeastHttpServer> server;

 private:
  std::shared_ptr<ServerCount> count_;
};

// Closing waits for the event threads, which therefore may not do it themselves.
Task<void> close(net::EventLoops& loops, CountedServer counted) {
  co_await loops.offload([&counted] { counted.server.reset(); });
}

class OllamaAiEndpoint final : public AiEndpoint {
 public:
  OllamaAiEndpoint(net::EventLoops& loops, SharedState state, std::shared_ptr<ServerCount> count, int listening_socket)
      : loops_(loops), state_(std::move(state)), counted_(std::move(count)) {
    counted_.server = std::make_unique<net::BeastHttpServer>(
        loops,
        net::HttpServerOptions{
            .connections = {.table = kMaxConnections, .share = 0, .reserve = 0, .closing = kMaxConnections},
            .body_bytes = kBodiesAtOnce * state_->limits.max_request_bytes,
            .before_accept = [state = state_] { return wait_for_turn(state); }},
        [state = state_](net::Request& request) { return handle(state, request); }, refuse);
    if (const auto started = counted_.server->start_on(listening_socket); !started) {
      log::error("The AI proxy can't serve a sandbox's socket.", {{"reason", started.error().message}});
    }
  }

  ~OllamaAiEndpoint() override {
    counted_.server->stop_accepting();
    state_->call_off_all();
    if (loops_.loop(0).stopped()) return;  // nothing runs any more, so there is nothing to wait for
    loops_.spawn("closing an AI endpoint", close(loops_, std::move(counted_)));
  }
  OllamaAiEndpoint(const OllamaAiEndpoint&) = delete;
  OllamaAiEndpoint& operator=(const OllamaAiEndpoint&) = delete;

  std::int64_t take_tokens() override { return state_->tokens.exchange(0); }
  std::uint64_t connections() const override { return counted_.server->accepted(); }

 private:
  net::EventLoops& loops_;
  SharedState state_;
  CountedServer counted_;
};

}  // namespace

OllamaAiProxy::OllamaAiProxy(net::EventLoops& loops, net::HttpClient& http, Clock& clock, std::string node_url,
                             AiProxyLimits limits)
    : loops_(loops),
      http_(http),
      clock_(clock),
      node_url_(std::move(node_url)),
      limits_(limits),
      servers_(std::make_shared<ServerCount>()) {}

OllamaAiProxy::~OllamaAiProxy() {
  servers_->wait_for_none();
}

std::unique_ptr<AiEndpoint> OllamaAiProxy::serve(int listening_socket) {
  return std::make_unique<OllamaAiEndpoint>(loops_, std::make_shared<EndpointState>(http_, clock_, node_url_, limits_),
                                            servers_, listening_socket);
}

}  // namespace infra
