#include "adapters/redis/result_texts.h"

#include <memory>
#include <utility>

#include "adapters/redis/job_key_text.h"
#include "core/object_keys.h"

namespace infra {
namespace {

constexpr std::size_t kLookedIntoInline = 256 * 1024;

SharedResult parsed(std::string text, const RequestId& id) {
  auto result = parse_job_result(text);
  if (!result) return nullptr;
  if (result->request_id.empty()) result->request_id = id;
  return std::make_shared<const JobResult>(std::move(*result));
}

ToldResult told(std::string text, const RequestId& id) {
  const JobKeyText kind = kind_of(text);
  if (kind == JobKeyText::result) return {.json = std::move(text)};
  if (kind != JobKeyText::result_of_reference_worker) return {};
  const SharedResult result = parsed(std::move(text), id);
  return {.json = result ? to_json(*result) : std::string(), .of_reference_worker = true};
}

}  // namespace

Task<Result<std::string>> ResultTexts::stored(RequestId id, bool& known) {
  auto reply = co_await redis_.command({"GET", job_key(id)}, job_key(id));
  if (!reply) co_return fail(reply.error());
  known = !reply->is_nil();
  std::string text = std::move(reply->text);
  if (!known || text.size() > kAnnouncedWhole) co_return text;
  const JobKeyText kind = kind_of(text);
  if (kind == JobKeyText::no_result) co_return std::string();
  if (kind != JobKeyText::pointer) co_return text;
  auto whole = co_await kept(std::move(id));
  known = !whole || !whole->empty();  // it may have gone from there
  co_return whole;
}

Task<Result<std::string>> ResultTexts::kept(RequestId id) {
  auto text = co_await bucket_.get_object(result_key(id));
  if (!text && text.error().kind == ErrorKind::not_found) co_return std::string();
  co_return text;
}

template <typename T>
Task<T> ResultTexts::look_into(std::string text, RequestId id, T (*look)(std::string text, const RequestId& id)) {
  if (text.size() <= kLookedIntoInline) co_return look(std::move(text), id);
  // Shared with the pool, which may still look when a coroutine that is being shut down is destroyed.
  const auto whole = std::make_shared<std::string>(std::move(text));
  const auto found = std::make_shared<T>();
  co_await executor_.offload([whole, found, id, look] { *found = look(std::move(*whole), id); });
  co_return std::move(*found);
}

Task<SharedResult> ResultTexts::parse(std::string text, RequestId id) {
  if (text.empty()) co_return nullptr;
  co_return co_await look_into<SharedResult>(std::move(text), std::move(id), parsed);
}

Task<ToldResult> ResultTexts::tell(std::string text, RequestId id) {
  if (text.empty()) co_return ToldResult{};
  co_return co_await look_into<ToldResult>(std::move(text), std::move(id), told);
}

}  // namespace infra
