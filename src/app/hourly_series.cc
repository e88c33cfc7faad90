#include "app/hourly_series.h"

#include <fmt/format.h>

#include <utility>

#include "core/error_codes.h"
#include "core/operator_error_codes.h"
#include "core/text.h"
#include "telemetry/log.h"

namespace infra::app {
namespace {

using std::chrono::hours;

constexpr const char* kRevision = "revision";
constexpr const char* kMinutes = "minutes";
constexpr milliseconds kBetweenTries{250};
constexpr int kPage = 100;    // items of some KiB
constexpr int kMaxTries = 8;  // against others who write the same item

std::string sort_of(std::chrono::sys_time<hours> hour) {
  return to_iso8601(hour).substr(0, std::string_view("2026-12-01T10").size());
}

std::string text_of(const std::map<int, RunSums>& minutes) {
  std::string text;
  for (const auto& [minute, sums] : minutes) text += fmt::format("{}={};", minute, to_text(sums));
  return text;
}

// What is none of ours is left out.
std::map<int, RunSums> parse(std::string_view text) {
  std::map<int, RunSums> minutes;
  while (!text.empty()) {
    const auto end = std::min(text.find(';'), text.size());
    const std::string_view entry = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const auto equals = entry.find('=');
    if (equals == std::string_view::npos) continue;
    const auto minute = parse_whole(entry.substr(0, equals)).value_or(-1);
    if (auto sums = parse_run_sums(entry.substr(equals + 1)); sums && minute >= 0 && minute < 60)
      minutes[static_cast<int>(minute)].add(*sums);
  }
  return minutes;
}

void add_to(std::map<int, RunSums>& minutes, const std::map<int, RunSums>& more) {
  for (const auto& [minute, sums] : more) minutes[minute].add(sums);
}

std::int64_t revision_of(const std::optional<ConfigurationItem>& item) {
  if (!item) return 0;
  const auto found = item->attributes.find(kRevision);
  const auto* number = found == item->attributes.end() ? nullptr : std::get_if<std::int64_t>(&found->second);
  return number == nullptr ? 0 : *number;
}

}  // namespace

ConfigurationKey HourlySeries::key_of(const Item& item) {
  return {.partition = "series#" + item.function.value, .sort = sort_of(item.hour)};
}

void HourlySeries::note(const LogRow& row) {
  const auto minute = minute_of(row);
  if (!minute || !store_.exists()) return;
  const auto hour = std::chrono::floor<hours>(*minute);
  Item item{.function = row.function_id, .hour = hour};
  const MutexLock lock(mutex_);
  if (unwritten_.size() >= kMaxHours && !unwritten_.contains(item)) return metrics_.count("series_runs_dropped_total");
  unwritten_[std::move(item)].sums[static_cast<int>((*minute - hour).count())].add(row);
}

Task<void> HourlySeries::write(SteadyTime deadline) {
  std::map<Item, Unwritten> all;
  {
    const MutexLock lock(mutex_);
    all.swap(unwritten_);
  }
  bool failed = false;
  for (auto& [item, unwritten] : all) {
    if (failed || clock_.steady_now() >= deadline) {
      put_back(item, std::move(unwritten));
      continue;
    }
    const auto written = co_await add(item, unwritten);
    if (written) continue;
    const Error& error = written.error();
    if (error.code == errors::configuration_absent.code) co_return;
    failed = error.kind == ErrorKind::unavailable;  // the others' writes would be no better off
    const bool later = failed || error.kind == ErrorKind::conflict;
    log::warn(later ? "sums of runs are not written yet" : "sums of runs can't be written, and are dropped",
              {{"functionId", item.function.value}, {"code", error.code}});
    if (later) {
      put_back(item, std::move(unwritten));
    } else {
      metrics_.count("series_runs_dropped_total");
    }
  }
}

Task<void> HourlySeries::finish(SteadyTime deadline) {
  while (true) {
    co_await write(deadline);
    const SteadyTime again = clock_.steady_now() + kBetweenTries;
    if (!has_unwritten() || again >= deadline) co_return;
    co_await clock_.sleep_until(again);
  }
}

bool HourlySeries::has_unwritten() {
  const MutexLock lock(mutex_);
  return !unwritten_.empty();
}

// A write whose answer is lost is not repeated before the item was seen.
Task<Result<void>> HourlySeries::add(const Item& item, Unwritten& unwritten) {
  for (int tries = 0; tries < kMaxTries; ++tries) {
    const auto found = co_await store_.get(key_of(item));
    if (!found) co_return fail(found.error());
    const std::int64_t revision = revision_of(*found);
    if (revision == unwritten.doubted_at) add_to(unwritten.sums, unwritten.doubted);
    unwritten.doubted.clear();
    if (unwritten.sums.empty()) co_return Result<void>();
    auto minutes = *found ? parse((*found)->text(kMinutes)) : Sums();
    add_to(minutes, unwritten.sums);
    const ConfigurationItem next{.key = key_of(item),
                                 .attributes = {{kRevision, revision + 1}, {kMinutes, text_of(minutes)}},
                                 .expires_at = WallTime(item.hour + hours(1)) + kSeriesRetention};
    const auto written = *found ? co_await store_.replace(next, {.attribute = kRevision, .value = revision})
                                : co_await store_.put_new(next);
    if (written) co_return Result<void>();
    if (written.error().kind == ErrorKind::conflict) continue;
    unwritten.doubted = std::exchange(unwritten.sums, {});
    unwritten.doubted_at = revision;
    co_return fail(written.error());
  }
  co_return fail(errors::item_changed, "Others changed the item each time.");
}

void HourlySeries::put_back(const Item& item, Unwritten unwritten) {
  const MutexLock lock(mutex_);
  auto& kept = unwritten_[item];
  add_to(kept.sums, unwritten.sums);
  kept.doubted = std::move(unwritten.doubted);
  kept.doubted_at = unwritten.doubted_at;
}

Task<Result<std::vector<RunSums>>> HourlySeries::read(const SeriesQuery& query) {
  StepSums steps(query);
  const auto first = std::chrono::floor<hours>(steps.from());
  const std::string partition = key_of({.function = query.function_id, .hour = first}).partition;
  std::string after = sort_of(first - hours(1));
  while (true) {
    const auto page = co_await store_.query(partition, after, kPage);
    if (!page) co_return fail(page.error());
    for (const auto& item : page->items) {
      const auto hour = parse_iso8601(item.key.sort + ":00:00Z");
      if (!hour) continue;
      if (*hour >= steps.to()) co_return steps.take();
      const auto begin = std::chrono::floor<std::chrono::minutes>(*hour);
      for (const auto& [minute, sums] : parse(item.text(kMinutes)))
        steps.add(begin + std::chrono::minutes(minute), sums);
    }
    if (page->next.empty()) co_return steps.take();
    after = page->next;
  }
}

}  // namespace infra::app
