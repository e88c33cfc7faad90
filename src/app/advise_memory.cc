#include "app/advise_memory.h"

#include <algorithm>
#include <utility>

#include "core/error_codes.h"
#include "core/object_keys.h"

namespace infra::app {
namespace {

constexpr std::chrono::hours kWindow{7 * 24};
constexpr std::size_t kMaxRows = 1000;
constexpr int kPage = 250;
constexpr int kMaxPages = 8;  // an engine may give out shorter ones

// When the present code was uploaded, which its key names. Other code has another footprint.
std::optional<WallTime> uploaded_at(const CodeRef& code) {
  return uuid_v7_time(upload_of(code.key));
}

}  // namespace

Task<Result<std::vector<RunSample>>> AdviseMemory::recent_runs(FunctionId id, int memory_mb, WallTime since) {
  std::vector<RunSample> runs;
  LogQuery query{.function_id = std::move(id), .limit = kPage, .start = since, .cursor = {}, .messages = false};
  std::size_t rows = 0;
  for (int pages = 0; pages < kMaxPages && rows < kMaxRows; ++pages) {
    const auto page = co_await logs_.list(query);
    if (!page) co_return fail(page.error());
    for (const auto& row : page->rows) {
      if (++rows > kMaxRows) break;
      if (row.allocated_memory_mb != memory_mb) continue;
      if (auto run = sample_of(row)) runs.push_back(*run);
    }
    if (page->next_cursor.empty()) break;
    query.cursor = page->next_cursor;
  }
  co_return runs;
}

Task<Result<FunctionAdvice>> AdviseMemory::advise(FunctionId id) {
  const auto function = co_await functions_.find(id);
  if (!function) co_return fail(function.error());
  const WallTime week_ago = clock_.now() - kWindow;
  const WallTime since = std::max(week_ago, uploaded_at(function->code).value_or(week_ago));
  const auto runs = co_await recent_runs(id, function->memory_mb, since);
  if (!runs) co_return fail(runs.error());
  co_return FunctionAdvice{
      .function_id = std::move(id), .since = since, .advice = advise_memory(*runs, function->memory_mb)};
}

Task<Result<int>> AdviseMemory::apply(FunctionId id) {
  const auto advised = co_await advise(id);
  if (!advised) co_return fail(advised.error());
  const auto& recommended = advised->advice.recommended_memory_mb;
  if (!advised->advice.is_change()) {
    co_return fail(errors::nothing_to_apply, "There is nothing to apply. " + advised->advice.optimization_tip);
  }
  FunctionChange change;
  change.set(&FunctionSettings::memory_mb, *recommended);
  if (auto done = co_await deploy_.update(std::move(id), std::move(change), nullptr); !done)
    co_return fail(done.error());
  co_return *recommended;
}

}  // namespace infra::app
