// infra logs: a function's runs, those of before and those that come, of which the platform tells; of one that does not
// they are asked for again and again.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <set>
#include <thread>

#include "cli/event_stream.h"
#include "cli/json_view.h"
#include "cli/run_commands.h"
#include "cli/session.h"
#include "core/json_value.h"
#include "core/limits.h"
#include "core/text.h"
#include "core/time.h"
#include "core/trace_context.h"

namespace infra::cli {
namespace {

constexpr std::int64_t kPage = 50;
constexpr std::int64_t kLargestPage = 1000;
constexpr std::chrono::seconds kBetweenLooks{1};
// A row's time is its run's beginning, and it comes when that has ended.
constexpr milliseconds kLongestRun = limits::kMaxTimeout + std::chrono::minutes{1};

WallTime now() {
  return std::chrono::time_point_cast<milliseconds>(std::chrono::system_clock::now());
}

struct Query {
  std::string path;  // of the function's logs
  std::optional<WallTime> since;
  std::int64_t limit = kPage;
  std::string status;  // empty: all
  std::string trace;   // empty: all
};

Outcome<Query> read_query(const Arguments& arguments) {
  Query query{.path = function_path(arguments.word(0)) + "/logs",
              .since = std::nullopt,
              .status = arguments.value("--status").value_or(""),
              .trace = arguments.value("--trace").value_or("")};
  if (!query.trace.empty() && !is_trace_id(query.trace))
    return wrong_usage(fmt::format("--trace needs the 32 digits of a traceId, not \"{}\".", query.trace));
  std::ranges::transform(query.status, query.status.begin(),
                         [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  if (const auto since = arguments.value("--since")) {
    query.limit = kLargestPage;
    if (const auto ago = parse_duration(*since)) {
      query.since = now() - milliseconds{*ago};
    } else if (query.since = parse_iso8601(*since); !query.since) {
      return wrong_usage(fmt::format("--since needs 10m, 2h, 1d or a time in ISO 8601, not \"{}\".", *since));
    }
  }
  if (const auto limit = arguments.value("--limit")) {
    query.limit = parse_whole(*limit).value_or(0);
    if (query.limit < 1 || query.limit > kLargestPage)
      return wrong_usage(fmt::format("--limit needs a number from 1 to {}, not \"{}\".", kLargestPage, *limit));
  }
  return query;
}

// Newest first.
Outcome<std::vector<boost::json::object>> read_rows(Api& api, const Query& query) {
  // Among those of all states the wanted ones have to be looked for.
  std::string path = fmt::format("{}?limit={}", query.path, query.status.empty() ? query.limit : kLargestPage);
  if (query.since) path += "&startTime=" + net::percent_encode(to_iso8601(*query.since));
  if (!query.trace.empty()) path += "&traceId=" + query.trace;
  const auto answer = api.get(path);
  if (!answer) return failed(answer.error());
  std::vector<boost::json::object> rows;
  for_each_object(answer->json, [&](const boost::json::object& row) {
    const bool wanted = query.status.empty() || text_of(row, "status") == query.status;
    if (wanted && rows.size() < static_cast<std::size_t>(query.limit)) rows.push_back(row);
  });
  return rows;
}

std::vector<std::string> cells(const boost::json::object& row) {
  const std::string message = text_of(row, "message");
  const auto* const cold = row.if_contains("coldStart");
  return {time_shown(row, "timestamp"),
          shown(row, "status"),
          milliseconds_shown(row, "duration"),
          shown(row, "memory") + " MB",
          cold != nullptr && cold->is_bool() && cold->get_bool() ? "cold" : "warm",
          text_of(row, "requestId"),
          message.substr(0, message.find('\n'))};
}

void print_row(const Output& output, const boost::json::object& row) {
  if (output.json()) {
    output.print(boost::json::serialize(row));
    return;
  }
  std::string line = table_text({cells(row)});
  line = printable(trim(line), false);
  const bool success = text_of(row, "status") == "SUCCESS";
  output.print(success ? line : output.styled(line, Style::red));
}

// Those that end from here on, and what they print meanwhile.
class Following {
 public:
  Following(Api& rows, Query query, const Output& output)
      : rows_(rows), query_(std::move(query)), output_(output), from_the_start_(query_.since.has_value()) {}

  // Prints the rows that have come since the last time.
  Outcome<Exit> look() {
    auto rows = read_rows(rows_, query_);
    if (!rows) return failed(std::move(rows.error()));
    // Without --since the last few show that it works.
    constexpr std::size_t kFewRows = 10;
    std::size_t skip = first_ && !from_the_start_ && rows->size() > kFewRows ? rows->size() - kFewRows : 0;
    for (auto row = rows->rbegin(); row != rows->rend(); ++row) {
      if (!seen_.insert(text_of(*row, "requestId")).second) continue;
      in_order_.push_back(text_of(*row, "requestId"));
      if (skip > 0) {
        --skip;
      } else {
        print_row(output_, *row);
      }
    }
    constexpr std::size_t kRemembered = 20'000;
    for (; in_order_.size() > kRemembered; in_order_.pop_front()) seen_.erase(in_order_.front());
    first_ = false;
    query_.limit = kLargestPage;
    query_.since = now() - kLongestRun;
    return Exit::ok;
  }

  // Goes on as the platform tells of runs, until it no longer does. False: it never will, being of before.
  Outcome<bool> listen(Api& events, std::string_view function) {
    Outcome<Exit> looked = Exit::ok;
    reader_.begin_anew();
    net::BlockingCall call;
    if (!reader_.last_id().empty()) call.headers.set("Last-Event-ID", reader_.last_id());
    call.on_body = [&](std::string_view piece) {
      look_again_ = false;
      reader_.take(piece);
      if (look_again_) looked = look();
      return looked.has_value();
    };
    const auto answer = listen_to(events, function, std::move(call));
    if (!looked) return failed(std::move(looked.error()));
    return !answer || answer->status != 404;
  }

 private:
  void hear(const StreamedEvent& event) {
    const auto data = parse_json(event.data);
    const auto* object = data ? data->if_object() : nullptr;
    // A row may be seen a moment after its run's end was told: beats look, too.
    look_again_ |= event.kind == "beat" || event.kind == "gap" ||
                   (event.kind == "run" && object != nullptr && text_of(*object, "phase") == "finished");
    if (event.kind == "log" && object != nullptr && !output_.json() && query_.status.empty()) print_line(*object);
  }

  void print_line(const boost::json::object& line) const {
    constexpr std::size_t kTail = 6;  // which tells runs of a moment apart
    const std::string id = text_of(line, "requestId");
    const std::string text =
        fmt::format("{} | {}", id.substr(id.size() - std::min(id.size(), kTail)), text_of(line, "text"));
    output_.print(
        output_.styled(printable(text, false), text_of(line, "stream") == "stderr" ? Style::red : Style::dim));
  }

  Api& rows_;
  Query query_;
  const Output& output_;
  const bool from_the_start_;
  bool first_ = true;
  std::set<std::string> seen_;
  std::deque<std::string> in_order_;  // of `seen_`, so that it does not grow for ever
  bool look_again_ = false;
  EventReader reader_{[this](const StreamedEvent& event) { hear(event); }};
};

Outcome<Exit> follow(Api& rows, Api& events, const Query& query, std::string_view function, const Output& output) {
  Following following(rows, query, output);
  bool tells = true;
  while (true) {
    if (auto looked = following.look(); !looked) return looked;
    if (tells) {
      const auto heard = following.listen(events, function);
      if (!heard) return failed(heard.error());
      tells = *heard;
    }
    std::this_thread::sleep_for(kBetweenLooks);
  }
}

Outcome<Exit> show_one(Api& api, const std::string& function, const std::string& id, const Output& output) {
  const auto answer = api.get(fmt::format("{}/logs/{}", function_path(function), net::percent_encode(id)));
  if (!answer) return failed(answer.error());
  const auto* row = answer->json.if_object();
  if (output.json() || row == nullptr) {
    output.print(answer->text);
    return Exit::ok;
  }
  std::vector<std::string> parts = cells(*row);
  parts.pop_back();
  output.print(output.styled(printable(trim(table_text({parts})), false), Style::bold));
  const std::string message = text_of(*row, "message");
  if (!message.empty()) output.print(isatty(STDOUT_FILENO) == 1 ? printable(message) : message);
  return Exit::ok;
}

}  // namespace

Outcome<Exit> run_logs(Session& session) {
  const auto query = read_query(session.arguments);
  if (!query) return failed(query.error());
  auto api = session.connect();
  if (!api) return failed(std::move(api.error()));
  const Output& output = session.output;
  const std::string name = session.arguments.word(0);
  if (const auto id = session.arguments.value("--request")) return show_one(**api, name, *id, output);
  if (session.arguments.has("--follow")) {
    auto events = session.connect();  // one stream, and requests beside it
    if (!events) return failed(std::move(events.error()));
    return follow(**api, **events, *query, name, output);
  }
  const auto found = read_rows(**api, *query);
  if (!found) return failed(found.error());
  if (output.json()) {
    boost::json::array all(found->begin(), found->end());
    output.print(boost::json::serialize(all));
    return Exit::ok;
  }
  if (found->empty()) {
    output.note(fmt::format("No such run of {} is in its logs.\nnext: infra invoke {}", name, name));
    return Exit::ok;
  }
  Rows rows = {{"TIME (UTC)", "STATUS", "DURATION", "MEMORY", "START", "REQUEST", "MESSAGE"}};
  for (auto row = found->rbegin(); row != found->rend(); ++row) rows.push_back(cells(*row));
  output.table(rows);
  return Exit::ok;
}

}  // namespace infra::cli
