#include "http/events_handler.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <optional>
#include <utility>

#include "core/client_address.h"
#include "core/error_codes.h"
#include "core/function_name.h"
#include "core/mutex.h"
#include "http/query.h"

namespace infra::http {
namespace {

constexpr std::chrono::seconds kBeat{15};
constexpr std::chrono::seconds kBetweenLooks{5};  // at the workers
constexpr std::chrono::seconds kBetweenKeyLooks{1};
// Between two pieces: what comes meanwhile goes in one, however much happens.
constexpr milliseconds kBetweenPieces{20};
constexpr std::chrono::seconds kRetryFull{10};
constexpr std::size_t kMaxFunctions = 100;

std::vector<std::string> split(std::string_view list) {
  std::vector<std::string> parts;
  while (!list.empty()) {
    const auto comma = std::min(list.find(','), list.size());
    if (comma > 0) parts.emplace_back(list.substr(0, comma));
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return parts;
}

struct Kinds {
  bool runs = false;
  bool logs = false;
  bool workers = false;
};

Result<Kinds> read_kinds(const net::Request& request) {
  const auto given = net::query_value(request.query, "kinds");
  if (!given) return Kinds{.runs = true, .logs = true, .workers = true};
  Kinds kinds;
  for (const auto& kind : split(*given)) {
    bool* const known = kind == "run"      ? &kinds.runs
                        : kind == "log"    ? &kinds.logs
                        : kind == "worker" ? &kinds.workers
                                           : nullptr;
    if (known == nullptr)
      return fail(errors::invalid_kinds, "kinds must name run, log or worker, with commas between.");
    *known = true;
  }
  return kinds;
}

void append(std::string& piece, std::string_view kind, std::string_view data, std::string_view id = "") {
  if (!id.empty()) fmt::format_to(std::back_inserter(piece), "id: {}\n", id);
  fmt::format_to(std::back_inserter(piece), "event: {}\ndata: {}\n\n", kind, data);
}

}  // namespace

// How many streams there are, and whose.
class EventsHandler::Places : public std::enable_shared_from_this<Places> {
 public:
  explicit Places(StreamLimits limits) : limits_(limits) {}

  // One of them, given back with its last owner.
  Result<std::shared_ptr<void>> take(const std::string& address) {
    const MutexLock lock(mutex_);
    if (all_ >= limits_.streams) {
      return fail(
          Error{errors::event_streams_full,
                fmt::format("{} clients listen to this program's events already; try again later.", limits_.streams),
                kRetryFull});
    }
    const auto mine = by_address_.find(address);
    if (mine != by_address_.end() && mine->second >= limits_.of_address) {
      return fail(errors::too_many_streams,
                  fmt::format("An address may listen {} times at once; close a stream first.", limits_.of_address));
    }
    ++all_;
    ++by_address_[address];
    return std::shared_ptr<void>(nullptr, [self = shared_from_this(), address](void*) { self->give_back(address); });
  }

 private:
  void give_back(const std::string& address) {
    const MutexLock lock(mutex_);
    --all_;
    const auto mine = by_address_.find(address);
    if (--mine->second == 0) by_address_.erase(mine);
  }

  const StreamLimits limits_;
  Mutex mutex_;
  std::size_t all_ INFRA_GUARDED_BY(mutex_) = 0;
  std::map<std::string, std::size_t> by_address_ INFRA_GUARDED_BY(mutex_);
};

class EventsHandler::Stream final : public net::StreamedBody {
 public:
  // `holds` (empty: the master's) says whether its key is still valid.
  Stream(std::shared_ptr<void> place, std::unique_ptr<app::EventFeed::Subscription> subscription, Clock& clock,
         Workers workers, std::function<Task<bool>()> holds)
      : place_(std::move(place)),
        subscription_(std::move(subscription)),
        clock_(clock),
        workers_(std::move(workers)),
        next_beat_(clock.steady_now() + kBeat),
        next_look_(workers_ ? clock.steady_now() : SteadyTime::max()),
        holds_(std::move(holds)),
        next_key_look_(holds_ ? clock.steady_now() + kBetweenKeyLooks : SteadyTime::max()) {}

  Task<std::string> next() override {
    if (!begun_) {
      begun_ = true;
      co_return std::string("retry: 2000\n\n");  // it is heard at once, and so is that there is nothing yet
    }
    co_await clock_.sleep_until(last_piece_ + kBetweenPieces);
    std::string piece;
    while (!stopped_) {
      if (clock_.steady_now() >= next_key_look_ && !co_await key_holds()) break;
      append_events(piece);
      if (clock_.steady_now() >= next_look_) co_await append_workers(piece);
      if (piece.empty() && clock_.steady_now() >= next_beat_) piece = ": beat\n\n";
      if (!piece.empty()) {
        last_piece_ = clock_.steady_now();
        next_beat_ = last_piece_ + kBeat;
        co_return piece;
      }
      co_await subscription_->wait_until(std::min({next_beat_, next_look_, next_key_look_}));
    }
    co_return std::string();
  }

  void stop() override {
    stopped_ = true;
    subscription_->wake();
  }

 private:
  Task<bool> key_holds() {
    next_key_look_ = clock_.steady_now() + kBetweenKeyLooks;
    return holds_();
  }

  void append_events(std::string& piece) {
    const app::EventBatch batch = subscription_->take(kMaxPiece);
    if (batch.gap)
      append(piece, "gap", fmt::format(R"({{"lost":{}}})", batch.lost ? std::to_string(*batch.lost) : "null"));
    for (const auto& [id, event] : batch.items) append(piece, to_string(event->kind), event->data, id);
  }

  // Those that can't be listed now are told of the next time.
  Task<void> append_workers(std::string& piece) {
    next_look_ = clock_.steady_now() + kBetweenLooks;
    const auto rows = co_await workers_();
    if (!rows) co_return;
    for (const auto& row : *rows) append(piece, "worker", row);
  }

  const std::shared_ptr<void> place_;
  const std::unique_ptr<app::EventFeed::Subscription> subscription_;
  Clock& clock_;
  const Workers workers_;  // empty: they are not asked for
  bool begun_ = false;
  SteadyTime last_piece_{};
  SteadyTime next_beat_;
  SteadyTime next_look_;
  const std::function<Task<bool>()> holds_;
  SteadyTime next_key_look_;
  std::atomic<bool> stopped_ = false;
};

EventsHandler::EventsHandler(app::EventFeed& feed, app::FunctionNames& names, app::KnownKeys& keys, Clock& clock,
                             Workers workers, StreamLimits limits)
    : feed_(feed),
      names_(names),
      keys_(keys),
      clock_(clock),
      workers_(std::move(workers)),
      places_(std::make_shared<Places>(limits)) {}

// Those that are asked for, which must be among the key's; the key's where none is. Empty: all.
Task<Result<std::vector<FunctionId>>> EventsHandler::read_functions(const Context& context) {
  const FunctionList* const own = context.own_functions();
  const auto given = net::query_value(context.request.query, "functions");
  if (!given) co_return own == nullptr ? std::vector<FunctionId>{} : *own;
  std::vector<FunctionId> functions;
  for (auto& part : split(*given)) {
    if (functions.size() > kMaxFunctions) break;
    if (const auto name = name_referred_to(part)) {
      const auto function = co_await names_.find(std::string(*name));
      if (!function && own != nullptr) co_return fail(function_not_allowed());
      if (!function) co_return fail(function.error());
      part = function->id.value;
    }
    functions.push_back({std::move(part)});
    if (!is_among(own, functions.back())) co_return fail(function_not_allowed());
  }
  // An empty list is a mistake, and not "all of them".
  if (functions.empty() || functions.size() > kMaxFunctions) {
    co_return fail(errors::invalid_functions,
                   fmt::format("functions must have 1 to {} ids, with commas between.", kMaxFunctions));
  }
  co_return functions;
}

Task<Result<net::Response>> EventsHandler::listen(Context& context) {
  const net::Request& request = context.request;
  const auto kinds = read_kinds(request);
  if (!kinds) co_return fail(kinds.error());
  auto functions = co_await read_functions(context);
  if (!functions) co_return fail(functions.error());
  app::EventFilter filter{.runs = kinds->runs, .logs = kinds->logs, .functions = std::move(*functions)};
  auto place = places_->take(rate_key(context.client));
  if (!place) co_return fail(place.error());
  std::function<Task<bool>()> holds;
  if (context.key) holds = [this, key = context.key] { return keys_.still_holds(key); };
  net::Response response;
  response.headers.add("Content-Type", "text/event-stream; charset=utf-8");
  response.headers.add("Cache-Control", "no-store");
  response.headers.add("X-Accel-Buffering", "no");  // for proxies that would keep pieces back
  response.stream = std::make_shared<Stream>(
      std::move(*place), feed_.subscribe(std::move(filter), request.headers.find("last-event-id").value_or("")), clock_,
      kinds->workers && context.own_functions() == nullptr ? workers_ : Workers{}, std::move(holds));
  co_return response;
}

}  // namespace infra::http
