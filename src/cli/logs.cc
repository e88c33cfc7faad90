// infra logs: a function's runs, those of before and, by asking again, those that come.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <set>
#include <thread>

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

Outcome<Exit> follow(Api& api, Query query, const Output& output) {
  std::set<std::string> seen;
  std::deque<std::string> in_order;  // of `seen`, so that it does not grow for ever
  constexpr std::size_t kRemembered = 20'000;
  bool first = true;
  const bool from_the_start = query.since.has_value();
  while (true) {
    auto rows = read_rows(api, query);
    if (!rows) return failed(std::move(rows.error()));
    // Without --since the last few show that it works.
    constexpr std::size_t kFewRows = 10;
    std::size_t skip = first && !from_the_start && rows->size() > kFewRows ? rows->size() - kFewRows : 0;
    for (auto row = rows->rbegin(); row != rows->rend(); ++row) {
      if (!seen.insert(text_of(*row, "requestId")).second) continue;
      in_order.push_back(text_of(*row, "requestId"));
      if (skip > 0) {
        --skip;
      } else {
        print_row(output, *row);
      }
    }
    for (; in_order.size() > kRemembered; in_order.pop_front()) seen.erase(in_order.front());
    first = false;
    query.limit = kLargestPage;
    query.since = now() - kLongestRun;
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
  if (session.arguments.has("--follow")) return follow(**api, *query, output);
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
