#include "platform/engines/aws/simulated_http_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "core/operator_error_codes.h"
#include "platform/engines/aws/aws_answers.h"

namespace infra::simulation {
namespace {

constexpr std::size_t kPieceBytes = 16 * 1024;

enum class Fate : std::uint8_t {
  good,
  unreachable,
  cut_before,
  cut_after,
  lost,         // on its way there
  late,         // arrives when nobody waits for it any more
  answer_lost,  // on its way back
  throttled,
  failed,
  failed_after,
};

// nullopt: no URL that is known here.
std::optional<ServiceRequest> read(const net::ClientRequest& sent) {
  const std::string_view url = sent.url;
  const auto scheme = url.find("://");
  if (scheme == std::string_view::npos) return std::nullopt;
  const auto host = url.substr(scheme + 3, url.find('/', scheme + 3) - scheme - 3);
  const auto rest = url.substr(std::min(url.size(), scheme + 3 + host.size()));
  const auto query = rest.find('?');
  ServiceRequest request{.method = sent.method,
                         .host = std::string(host.substr(0, host.find(':'))),
                         .path = rest.empty() ? "/" : std::string(rest.substr(0, query)),
                         .query = query == std::string_view::npos ? "" : std::string(rest.substr(query + 1)),
                         .headers = sent.headers,
                         .body = sent.borrowed_body.empty() ? sent.body : std::string(sent.borrowed_body)};
  if (const auto target = sent.headers.find("x-amz-target")) {
    request.action = std::string(target->substr(target->find('.') + 1));
    boost::system::error_code error;
    auto root = boost::json::parse(request.body, error);
    if (error || !root.is_object()) return std::nullopt;
    request.fields = std::move(root.get_object());
  }
  return request;
}

// Fails as the real client does, with a body that is shorter than it says.
Task<Result<std::string>> read_whole(ByteSource& source) {
  std::string bytes(source.size(), '\0');
  for (std::size_t at = 0; at < bytes.size();) {
    const auto count = co_await source.read(std::span(bytes).subspan(at));
    if (!count) co_return fail(count.error());
    if (*count == 0) co_return fail(errors::http_body_short, "The body ended before its size.");
    at += *count;
  }
  co_return bytes;
}

// In the list of those that a change wakes, while its coroutine lives.
struct ChangeAwaited {
  ChangeAwaited(AwsContext& context, std::shared_ptr<Signal> made) : aws(context), signal(std::move(made)) {
    aws.waiting.push_back(signal);
  }
  ~ChangeAwaited() { std::erase(aws.waiting, signal); }
  ChangeAwaited(const ChangeAwaited&) = delete;
  ChangeAwaited& operator=(const ChangeAwaited&) = delete;

  AwsContext& aws;
  const std::shared_ptr<Signal> signal;
};

}  // namespace

struct SimulatedHttpClient::Journey {
  Fate fate = Fate::good;
  milliseconds there{0};
  milliseconds back{0};
};

// In the list while its coroutine lives.
class SimulatedHttpClient::Boarding {
 public:
  Boarding(std::list<Flight*>& flights, Flight& flight)
      : flights_(flights), place_(flights.insert(flights.end(), &flight)) {}
  ~Boarding() { flights_.erase(place_); }
  Boarding(const Boarding&) = delete;
  Boarding& operator=(const Boarding&) = delete;

 private:
  std::list<Flight*>& flights_;
  const std::list<Flight*>::iterator place_;
};

SimulatedHttpClient::Journey SimulatedHttpClient::draw(const Flight& flight) {
  auto& dice = aws_.context().dice;
  const ConnectionFaults& faults = flight.service.faults();
  Journey journey;
  milliseconds all = dice.between(faults.latency_least, faults.latency_most);
  if (dice.chance(faults.slow)) all += dice.between(milliseconds{0}, faults.slow_most);
  journey.there = dice.between(milliseconds{0}, all);
  journey.back = all - journey.there;
  if (dice.chance(faults.unreachable)) {
    journey.fate = Fate::unreachable;
  } else if (dice.chance(faults.cut)) {
    journey.fate = dice.chance(0.5) ? Fate::cut_before : Fate::cut_after;
  } else if (dice.chance(faults.silent)) {
    constexpr Fate kSilent[] = {Fate::lost, Fate::late, Fate::answer_lost};
    journey.fate = kSilent[dice.below(3)];
  } else if (dice.chance(faults.throttled)) {
    journey.fate = Fate::throttled;
  } else if (dice.chance(faults.failed)) {
    journey.fate = Fate::failed;
  } else if (dice.chance(faults.failed_after)) {
    journey.fate = Fate::failed_after;
  }
  return journey;
}

Task<Result<net::Response>> SimulatedHttpClient::send(net::ClientRequest request) {
  if (request.open_body) {
    auto whole = co_await read_whole(*request.open_body());
    if (!whole) co_return fail(std::move(whole.error()));
    request.body = std::move(*whole);
  }
  auto asked = read(request);
  if (crashed_) co_return fail(errors::http_unreachable, "This process has ended.");
  SimulatedService* const service = asked ? aws_.service_at(asked->host) : nullptr;
  if (service == nullptr) {
    if (others_ != nullptr) co_return co_await others_->send(std::move(request));
    aws_.context().complain(fmt::format("nobody is simulated at {}", request.url));
    co_return fail(errors::http_unreachable, "There is no such host.");
  }
  Flight flight{.service = *service,
                .request = std::move(*asked),
                .deadline = clock_.steady_now() + std::max(request.timeout, milliseconds{1})};
  const Boarding boarding(flights_, flight);
  const Journey journey = draw(flight);
  if (journey.fate == Fate::unreachable) {
    flight.is_over = true;
    co_await travel(journey.there, clock_.steady_now() + std::min(request.connect_timeout, request.timeout));
    co_return fail(errors::http_unreachable, fmt::format("No answer from {}: no connection.", flight.request.host));
  }
  co_return co_await fly(flight, journey, request);
}

Task<Result<net::Response>> SimulatedHttpClient::fly(Flight& flight, Journey journey,
                                                     const net::ClientRequest& wanted) {
  auto& dice = aws_.context().dice;
  if (journey.fate == Fate::lost) {
    flight.is_over = true;
    co_return co_await give_up(flight);
  }
  const auto left = flight.deadline - clock_.steady_now();
  if (journey.fate == Fate::late || journey.there > left) {
    flight.is_over = true;
    const auto arrives = journey.fate == Fate::late
                             ? left + dice.between(milliseconds{0}, flight.service.faults().late_most)
                             : SteadyTime::duration(journey.there);
    aws_.carry_out_later(flight.service, flight.request, aws_.context().now() + arrives);
    co_return co_await give_up(flight);
  }
  if (!co_await travel(journey.there, flight.deadline)) co_return co_await give_up(flight);
  net::Response response;
  if (journey.fate == Fate::cut_before || journey.fate == Fate::throttled || journey.fate == Fate::failed) {
    flight.is_over = true;
    if (journey.fate == Fate::cut_before) co_return broken_off(flight);
    response = flight.service.refusal(journey.fate == Fate::throttled ? flight.service.too_many_requests()
                                                                      : flight.service.failure());
  } else {
    if (!co_await wait_at_service(flight)) co_return co_await give_up(flight);
    flight.is_over = true;
    response = aws_.carry_out(flight.service, flight.request);
    if (journey.fate == Fate::failed_after) response = flight.service.refusal(flight.service.failure());
  }
  if (journey.fate == Fate::answer_lost) co_return co_await give_up(flight);
  if (!co_await travel(journey.back, flight.deadline)) co_return co_await give_up(flight);
  if (journey.fate == Fate::cut_after) co_return broken_off(flight);
  co_return co_await hand_over(flight, std::move(response), wanted);
}

Task<bool> SimulatedHttpClient::travel(milliseconds time, SteadyTime until) {
  if (time > milliseconds{0}) {
    const SteadyTime there = clock_.steady_now() + time;
    co_await clock_.sleep_until(std::min(there, until));
    if (there > until) co_return false;
  }
  co_return !crashed_;
}

Task<bool> SimulatedHttpClient::wait_at_service(Flight& flight) {
  AwsContext& aws = aws_.context();
  flight.arrived = aws.now();
  aws_.catch_up();
  while (!crashed_) {
    const auto until = flight.service.waits_until(flight.request, flight.arrived);
    if (!until) {
      flight.is_waiting = false;
      co_return true;
    }
    flight.is_waiting = true;
    if (clock_.steady_now() >= flight.deadline) co_return false;
    const SteadyTime look_again = std::min(*until, aws_.next_late().value_or(SteadyTime::max()));
    const SteadyTime here = clock_.steady_now() + std::max(look_again - aws.now(), SteadyTime::duration{1});
    const ChangeAwaited change(aws, clock_.make_signal());
    co_await change.signal->wait_until(std::min(here, flight.deadline));
    aws_.catch_up();
  }
  co_return false;
}

// Its answer does not come, so that it ends with its time.
Task<Result<net::Response>> SimulatedHttpClient::give_up(Flight& flight) {
  if (flight.is_waiting && !crashed_) flight.service.abandon(flight.request, flight.arrived);
  flight.is_waiting = false;
  flight.is_over = true;
  if (!crashed_) co_await clock_.sleep_until(flight.deadline);
  if (crashed_) co_return broken_off(flight);
  co_return fail(errors::http_timeout, fmt::format("{} did not answer in time.", flight.request.host));
}

Task<Result<net::Response>> SimulatedHttpClient::hand_over(Flight& flight, net::Response response,
                                                           const net::ClientRequest& wanted) {
  std::string body = std::exchange(response.body, {});
  if (wanted.method == "HEAD") body.clear();
  if (wanted.on_header) wanted.on_header(response);
  auto& dice = aws_.context().dice;
  const bool is_cut = !body.empty() && dice.chance(flight.service.faults().cut_body);
  const std::size_t comes = is_cut ? dice.below(body.size()) : body.size();
  if (comes > wanted.max_response_bytes) {
    co_return fail(errors::http_too_large, fmt::format("The answer of {} is larger than {} bytes.", flight.request.host,
                                                       wanted.max_response_bytes));
  }
  for (std::size_t at = 0; wanted.on_body && at < comes; at += kPieceBytes) {
    if (!wanted.on_body(std::string_view(body).substr(at, std::min(kPieceBytes, comes - at))))
      co_return broken_off(flight);
  }
  if (is_cut) co_return broken_off(flight);
  if (!wanted.on_body) response.body = std::move(body);
  co_return response;
}

void SimulatedHttpClient::crash() {
  if (std::exchange(crashed_, true)) return;
  for (Flight* const flight : flights_) {
    if (flight->is_over) continue;
    if (flight->is_waiting) {
      flight->service.abandon(flight->request, flight->arrived);
    } else if (aws_.context().dice.chance(0.5)) {
      (void)aws_.carry_out(flight->service, flight->request);
    }
    flight->is_over = true;
  }
  aws_.context().changed();  // those that wait end
}

std::unexpected<Error> SimulatedHttpClient::broken_off(const Flight& flight) const {
  return fail(errors::http_unavailable, fmt::format("No answer from {}: {}.", flight.request.host,
                                                    crashed_ ? "this process has ended" : "the connection was cut"));
}

}  // namespace infra::simulation
