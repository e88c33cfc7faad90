#include "app/read_output_file.h"

#include <memory>
#include <utility>

#include "app/told_attempt.h"
#include "core/error_codes.h"
#include "core/limits.h"
#include "core/object_keys.h"

namespace infra::app {
namespace {

constexpr std::size_t kLookedIntoInline = std::size_t{256} * 1024;  // more takes an event thread too long

std::unexpected<Error> no_such_file() {
  return fail(
      errors::output_file_not_found,
      "This run left no output file of that name, or it has expired (they are kept for 30 days) or made room for "
      "newer ones.");
}

}  // namespace

Task<Result<ByteSourcePtr>> ReadOutputFile::open(FunctionId function, RequestId request, std::string name) {
  if (const auto row = co_await functions_.find(function); !row) co_return fail(row.error());
  const auto settled = co_await settled_attempt(function, request);
  if (!settled) co_return fail(settled.error());
  // Of an older row the last start that kept anything.
  const int last = settled->value_or(limits::kMaxReceives);
  const int first = settled->value_or(1);
  for (int attempt = last; attempt > 0 && attempt >= first; --attempt) {
    auto file = co_await code_.open_object(output_key(function, request, name, attempt));
    if (file || file.error().kind == ErrorKind::unavailable) co_return file;
  }
  co_return no_such_file();
}

// The row decides. It may be written a moment after its run was answered: until then the result does, which is there
// before anybody hears of it.
Task<Result<std::optional<int>>> ReadOutputFile::settled_attempt(const FunctionId& function, const RequestId& request) {
  const auto row = co_await logs_.find(function, request);
  if (!row && row.error().kind != ErrorKind::not_found) co_return fail(row.error());
  if (row && row->output_attempt) co_return row->output_attempt;
  const auto told = co_await attempt_by_result(function, request);
  if (!told || *told || row) co_return told;
  co_return 0;  // not settled, so no start's yet
}

Task<Result<std::optional<int>>> ReadOutputFile::attempt_by_result(const FunctionId& function,
                                                                   const RequestId& request) {
  auto stored = co_await results_.find(request);
  if (!stored && stored.error().kind != ErrorKind::not_found) co_return fail(stored.error());
  if (!stored || !stored->finished()) co_return std::nullopt;
  if (stored->json.size() <= kLookedIntoInline) co_return told_attempt(stored->json, function, request);
  const auto found = std::make_shared<std::optional<int>>();
  co_await executor_.offload([found, json = std::make_shared<const std::string>(std::move(stored->json)), function,
                              request] { *found = told_attempt(*json, function, request); });
  co_return *found;
}

}  // namespace infra::app
