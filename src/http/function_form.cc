#include "http/function_form.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "core/error_codes.h"
#include "core/job_result.h"
#include "core/json_value.h"
#include "core/text.h"
#include "http/json_fields.h"
#include "net/http/multipart_reader.h"

namespace infra::http {
namespace {

constexpr std::size_t kMaxFieldBytes = 64 * 1024;
constexpr std::uint64_t kFormOverhead = limits::kMiB;  // fields and framing beside the file
constexpr std::string_view kChangeFields =
    "name, description, memoryMb, timeoutMs, envVars, network, keepWarm, maxConcurrency and file";

std::unexpected<Error> file_too_large() {
  return fail(errors::bundle_too_large,
              fmt::format("The ZIP must be at most {} MiB.", limits::kMaxPackedBytes / limits::kMiB));
}

Task<Result<std::unique_ptr<StagedFile>>> receive_file(net::MultipartReader& reader, Staging& staging) {
  auto staged = co_await staging.create();
  if (!staged) co_return fail(staged.error());
  std::vector<char> buffer(64 * 1024);
  std::uint64_t received = 0;
  while (true) {
    const auto got = co_await reader.read(buffer);
    if (!got) co_return fail(got.error());
    if (*got == 0) break;
    received += *got;
    if (received > limits::kMaxPackedBytes) co_return file_too_large();
    if (auto written = co_await (*staged)->append({buffer.data(), *got}); !written) co_return fail(written.error());
  }
  if (auto finished = co_await (*staged)->finish(); !finished) co_return fail(finished.error());
  co_return std::move(*staged);
}

// A value may come in a header or in a field; one that is there but empty is a mistake, not a wish for the default.
Result<std::optional<std::string>> header_or_field(const net::Headers& headers, const FunctionForm& form,
                                                   std::string_view header, std::string_view field) {
  std::optional<std::string> value;
  std::string_view where = field;
  if (const auto found = headers.find(header)) {
    value = std::string(*found);
    where = header;
  } else if (const auto entry = form.fields.find(field); entry != form.fields.end()) {
    value = entry->second;
  }
  if (value && value->empty()) {
    return fail(errors::empty_field, fmt::format("{} is present but empty; leave it out or give it a value.", where));
  }
  return value;
}

Result<std::string> decode_name(std::string_view text) {
  const auto decoded = net::percent_decode(text);
  if (!decoded)
    return fail(errors::invalid_name, "name must be percent-encoded UTF-8: a '%' is not followed by two hex digits.");
  return check_name(*decoded);
}

std::string default_name(std::string_view original) {
  if (original.ends_with(".zip")) original.remove_suffix(4);
  const auto name = check_name(cut_utf8(original, limits::kMaxNameBytes));
  return name ? *name : "function";
}

Result<Environment> environment_from_text(std::string_view text) {
  return read_environment(parse_json(text).value_or(nullptr));  // many names, where a body has few fields
}

Result<std::string> json_text_field(const boost::json::value& value, std::string_view name) {
  if (!value.is_string()) {
    const ErrorEntry& refusal = name == "name"      ? errors::invalid_name
                                : name == "network" ? errors::invalid_network
                                                    : errors::invalid_description;
    return fail(refusal, fmt::format("{} must be a string.", name));
  }
  return std::string(value.get_string());
}

// A JSON number that is whole; -1 (which no rule allows) for all else.
std::int64_t json_whole(const boost::json::value& value) {
  if (value.is_int64()) return value.get_int64();
  if (value.is_double() && value.get_double() == std::floor(value.get_double()) &&
      std::abs(value.get_double()) < 1e15) {
    return static_cast<std::int64_t>(value.get_double());
  }
  return -1;
}

// Puts `value` in `slot`, or says why not.
template <typename T>
Result<void> assign(std::optional<T>& slot, Result<T> value) {
  if (!value) return fail(value.error());
  slot = std::move(*value);
  return {};
}

template <typename T>
Result<T> then_check(const Result<std::string>& text, Result<T> (*check)(std::string_view)) {
  return text ? check(*text) : Result<T>{fail(text.error())};
}

// The field has two names.
Result<void> assign_memory(FunctionChange& change, Result<int> value) {
  if (change.memory_mb)
    return fail(errors::duplicate_field, "memory is another name of memoryMb; send one of the two.");
  return assign(change.memory_mb, std::move(value));
}

Result<void> apply_json_field(FunctionChange& change, std::string_view name, const boost::json::value& value) {
  if (name == "name") return assign(change.name, then_check(json_text_field(value, name), check_name));
  if (name == "description")
    return assign(change.description, then_check(json_text_field(value, name), check_description));
  if (name == "memoryMb") return assign_memory(change, check_memory_mb(json_whole(value)));
  if (name == "memory") return assign_memory(change, check_memory(json_whole(value)));
  if (name == "timeoutMs") return assign(change.timeout, check_timeout_ms(json_whole(value)));
  if (name == "envVars") return assign(change.env, read_environment(value));
  if (name == "network") return assign(change.network, then_check(json_text_field(value, name), parse_network));
  if (name == "keepWarm") return assign(change.keep_warm, check_keep_warm(json_whole(value)));
  if (name == "maxConcurrency") {
    return assign(change.max_concurrency, check_max_concurrency(value.is_null() ? 0 : json_whole(value)));
  }
  return fail(errors::unknown_field, fmt::format("There is no field \"{}\" to change; allowed are {}.",
                                                 replace_invalid_utf8(cut_utf8(name, 64)), kChangeFields));
}

Result<void> apply_form_field(FunctionChange& change, std::string_view name, std::string_view value) {
  if (name == "name") return assign(change.name, decode_name(value));
  if (name == "description") return assign(change.description, check_description(value));
  if (name == "memoryMb") return assign_memory(change, parse_memory_mb(value));
  if (name == "memory") return assign_memory(change, parse_memory(value));
  if (name == "timeoutMs") return assign(change.timeout, parse_timeout_ms(value));
  if (name == "envVars") return assign(change.env, environment_from_text(value));
  if (name == "network") return assign(change.network, parse_network(value));
  if (name == "keepWarm") return assign(change.keep_warm, parse_keep_warm(value));
  if (name == "maxConcurrency") return assign(change.max_concurrency, parse_max_concurrency(value));
  return fail(errors::unknown_field, fmt::format("There is no field \"{}\" to change; allowed are {}.",
                                                 replace_invalid_utf8(cut_utf8(name, 64)), kChangeFields));
}

std::unexpected<Error> nothing_to_change() {
  return fail(errors::nothing_to_change,
              fmt::format("The request changes nothing; give at least one of {}.", kChangeFields));
}

}  // namespace

Task<Result<FunctionForm>> read_form(net::Request& request, Staging& staging) {
  const auto announced = request.body->content_length();
  if (announced && *announced > limits::kMaxPackedBytes + kFormOverhead) co_return file_too_large();
  auto reader = net::MultipartReader::create(request.headers.find("content-type").value_or(""), *request.body,
                                             {.max_total_bytes = limits::kMaxPackedBytes + kFormOverhead});
  if (!reader) co_return fail(reader.error());

  FunctionForm form;
  while (true) {
    auto part = co_await (*reader)->next();
    if (!part) co_return fail(part.error());
    if (!*part) co_return form;
    const net::PartHeader& header = **part;
    if (!header.filename && header.name != "file") {
      auto text = co_await (*reader)->read_text(kMaxFieldBytes);
      if (!text) co_return fail(text.error());
      if (!form.fields.emplace(header.name, std::move(*text)).second) {
        co_return fail(errors::duplicate_field, fmt::format("The form has the field \"{}\" twice.", header.name));
      }
      continue;
    }
    if (header.name != "file") {
      co_return fail(errors::wrong_file_field,
                     fmt::format("The ZIP must be in the form field \"file\", not \"{}\".", header.name));
    }
    if (form.bundle) co_return fail(errors::duplicate_file, "The form has two files; upload one ZIP.");
    auto staged = co_await receive_file(**reader, staging);
    if (!staged) co_return fail(staged.error());
    form.bundle = std::move(*staged);
    form.original_name = header.filename.value_or("");
  }
}

Result<app::NewFunction> new_function(const net::Headers& headers, const FunctionForm& form) {
  app::NewFunction wanted;
  wanted.original_name = replace_invalid_utf8(cut_utf8(form.original_name, limits::kMaxNameBytes));
  wanted.name = default_name(form.original_name);
  struct Field {
    std::string_view header;
    std::string_view field;
    Result<void> (*apply)(app::NewFunction&, const std::string&);
  };
  static constexpr auto kStore = [](auto& slot, auto value) -> Result<void> {
    if (!value) return fail(value.error());
    slot = std::move(*value);
    return {};
  };
  using New = app::NewFunction;
  using Text = const std::string&;
  static const std::array<Field, 9> kFields = {{
      {"x-runtime", "runtime", [](New& f, Text text) { return kStore(f.runtime, parse_runtime(text)); }},
      {"x-memory-mb", "memoryMb", [](New& f, Text text) { return kStore(f.memory_mb, parse_memory_mb(text)); }},
      {"x-function-name", "name", [](New& f, Text text) { return kStore(f.name, decode_name(text)); }},
      {"x-network", "network", [](New& f, Text text) { return kStore(f.network, parse_network(text)); }},
      {"x-keep-warm", "keepWarm", [](New& f, Text text) { return kStore(f.keep_warm, parse_keep_warm(text)); }},
      {"x-max-concurrency", "maxConcurrency",
       [](New& f, Text text) { return kStore(f.max_concurrency, parse_max_concurrency(text)); }},
      {"", "description", [](New& f, Text text) { return kStore(f.description, check_description(text)); }},
      {"", "envVars", [](New& f, Text text) { return kStore(f.env, environment_from_text(text)); }},
      {"", "timeoutMs", [](New& f, Text text) { return kStore(f.timeout, parse_timeout_ms(text)); }},
  }};
  for (const auto& field : kFields) {
    const auto value = header_or_field(headers, form, field.header, field.field);
    if (!value) return fail(value.error());
    if (!*value) continue;
    if (auto applied = field.apply(wanted, **value); !applied) return fail(applied.error());
  }
  return wanted;
}

Result<FunctionChange> change_from_form(const net::Headers& headers, const FunctionForm& form) {
  FunctionChange change;
  for (const auto& [name, value] : form.fields) {
    if (auto applied = apply_form_field(change, name, value); !applied) return fail(applied.error());
  }
  // Where a header says the same as a field, it is the header that holds.
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kHeaders = {{
      {"x-memory-mb", "memoryMb"},
      {"x-function-name", "name"},
      {"x-network", "network"},
      {"x-keep-warm", "keepWarm"},
      {"x-max-concurrency", "maxConcurrency"},
  }};
  for (const auto& [header, field] : kHeaders) {
    const auto value = headers.find(header);
    if (!value) continue;
    if (field == "memoryMb") change.memory_mb.reset();
    if (auto applied = apply_form_field(change, field, *value); !applied) return fail(applied.error());
  }
  if (form.bundle) change.original_name = replace_invalid_utf8(cut_utf8(form.original_name, limits::kMaxNameBytes));
  if (change.empty() && !form.bundle) return nothing_to_change();
  return change;
}

Result<FunctionChange> change_from_json(std::string_view body) {
  const auto object = read_object(body);
  if (!object) return fail(object.error());
  FunctionChange change;
  for (const auto& [name, value] : *object) {
    if (auto applied = apply_json_field(change, {name.data(), name.size()}, value); !applied)
      return fail(applied.error());
  }
  if (change.empty()) return nothing_to_change();
  return change;
}

}  // namespace infra::http
