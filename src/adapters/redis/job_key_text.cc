#include "adapters/redis/job_key_text.h"

#include <fmt/format.h>

#include "core/job_result.h"
#include "core/json_members.h"
#include "core/json_text.h"
#include "core/object_keys.h"

namespace infra {
namespace {

constexpr std::string_view kResultKey = "resultKey";

}  // namespace

JobKeyText kind_of(std::string_view text) {
  const auto object = RawObject::read(text);
  if (!object) return JobKeyText::no_result;
  if (object->text(kResultKey)) return JobKeyText::pointer;
  if (!status_of(*object)) return JobKeyText::no_result;
  return object->number("durationUs") ? JobKeyText::result : JobKeyText::result_of_reference_worker;
}

std::string pointer_text(const RequestId& id, std::string_view status, std::string_view function) {
  return fmt::format(R"({{"status":{},"requestId":{},"functionId":{},"{}":{}}})", json_quote(status),
                     json_quote(id.value), json_quote(function), kResultKey, json_quote(result_key(id)));
}

}  // namespace infra
