#include "platform/virtual_network.h"

#include <algorithm>
#include <exception>
#include <stdexcept>

#include "core/at_end.h"
#include "core/operator_error_codes.h"
#include "telemetry/task_failures.h"

namespace infra::sim {
namespace {

constexpr std::size_t kPiece = 16 * 1024;

// A body that has all arrived.
class WholeBody final : public net::BodyStream {
 public:
  explicit WholeBody(const std::string& bytes) : bytes_(bytes) {}
  Task<Result<std::size_t>> read(std::span<char> buffer) override {
    const std::size_t size = bytes_.copy(buffer.data(), std::min(buffer.size(), kPiece), read_);
    read_ += size;
    co_return size;
  }
  [[nodiscard]] std::optional<std::uint64_t> content_length() const override { return bytes_.size(); }

 private:
  const std::string& bytes_;
  std::size_t read_ = 0;
};

class NobodyAnswers final : public net::HttpClient {
 public:
  Task<Result<net::Response>> send(net::ClientRequest /*request*/) override {
    co_return fail(errors::http_unreachable, "Nobody is there in this world.");
  }
};

Task<std::string> all_of(ByteSource& source) {
  std::string bytes(static_cast<std::size_t>(source.size()), '\0');
  std::size_t got = 0;
  while (got < bytes.size()) {
    const auto count = co_await source.read(std::span(bytes).subspan(got));
    if (!count || *count == 0) break;
    got += *count;
  }
  bytes.resize(got);
  co_return bytes;
}

}  // namespace

void Exchanged::end(std::optional<net::Response> with) {
  if (over) return;
  over = true;
  response = std::move(with);
  ended->notify();
}

Result<void> VirtualServer::start() {
  accepting_ = true;
  door_.server = this;
  program_ = ++door_.programs;
  return {};
}

void VirtualServer::close() {
  accepting_ = false;
  if (door_.server == this) door_.server = nullptr;
  for (const auto& exchange : in_flight_) exchange->end(std::nullopt);
}

bool VirtualServer::take(const std::shared_ptr<Exchanged>& exchange) {
  if (!accepting_) return false;
  in_flight_.push_back(exchange);
  executor_.spawn("request", answer(exchange));
  return true;
}

Task<void> VirtualServer::answer(std::shared_ptr<Exchanged> exchange) {
  const AtEnd gone([&] {
    std::erase(in_flight_, exchange);
    exchange->end(std::nullopt);
    if (in_flight_.empty() && emptied_) emptied_->notify();
  });
  WholeBody body(exchange->body);
  exchange->request.body = &body;
  exchange->request.arrived = clock_.steady_now();
  exchange->arrival = {.program = program_, .at = exchange->request.arrived, .order = ++door_.arrivals};
  std::exception_ptr thrown;
  net::Response response;
  try {
    response = co_await handler_(exchange->request);
    if (response.file) response.body = co_await all_of(*std::exchange(response.file, nullptr));
  } catch (...) {
    thrown = std::current_exception();
  }
  if (thrown) {
    report_task_failure("request", thrown);
    response = error_handler_(internal_error());
  }
  const auto afterwards = std::exchange(response.afterwards, nullptr);
  exchange->end(std::move(response));
  if (afterwards) afterwards();
}

Task<bool> VirtualServer::drained(SteadyTime deadline) {
  while (!in_flight_.empty()) {
    emptied_ = clock_.make_signal();
    const auto emptied = emptied_;
    if (!co_await emptied->wait_until(deadline) && clock_.steady_now() >= deadline) co_return in_flight_.empty();
  }
  co_return true;
}

std::unique_ptr<net::HttpClient> VirtualNetwork::http_client() {
  return engines_.http ? engines_.http() : std::make_unique<NobodyAnswers>();
}

std::unique_ptr<net::RedisClient> VirtualNetwork::redis_client(const net::RedisOptions& options) {
  if (!engines_.redis) throw std::logic_error("there is no Redis in this world");
  return engines_.redis(options);
}

std::unique_ptr<net::RedisSubscriber> VirtualNetwork::redis_subscriber(const net::RedisOptions& options,
                                                                       net::RedisSubscription wanted) {
  if (!engines_.subscriber) throw std::logic_error("there is no Redis in this world");
  return engines_.subscriber(options, std::move(wanted));
}

std::unique_ptr<net::HttpServer> VirtualNetwork::http_server(net::HttpServerOptions /*options*/, net::Handler handler,
                                                             net::ErrorHandler error_handler) {
  return std::make_unique<VirtualServer>(door_, executor_, clock_, std::move(handler), std::move(error_handler));
}

}  // namespace infra::sim
