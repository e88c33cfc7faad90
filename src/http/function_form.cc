#include "http/function_form.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <variant>

#include "core/error_codes.h"
#include "core/function_name.h"
#include "core/json_value.h"
#include "core/text.h"
#include "http/json_fields.h"
#include "net/http/multipart_reader.h"

namespace infra::http {
namespace {

constexpr std::size_t kMaxFieldBytes = 64 * 1024;
constexpr std::string_view kDeploy = "deploy";
constexpr std::string_view kClaim = "claim";
constexpr std::uint64_t kFormOverhead = limits::kMiB;  // fields and framing beside the file

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

// A field that comes as text, in a form or a header.
Result<void> set_from_text(const SettingField& field, FunctionSettings& settings, std::string_view text,
                           bool by_alias = false) {
  if (!field.percent_encoded) return set_text(field, settings, text, by_alias);
  const auto decoded = net::percent_decode(text);
  if (decoded) return set_text(field, settings, *decoded, by_alias);
  return fail(*field.refusal,
              fmt::format("{} must be percent-encoded UTF-8: a '%' is not followed by two hex digits.", field.name));
}

std::string default_name(std::string_view original) {
  if (original.ends_with(".zip")) original.remove_suffix(4);
  FunctionSettings named;
  named.name = "function";
  static_cast<void>(set_text(field_of(&FunctionSettings::name), named, cut_utf8(original, limits::kMaxNameBytes)));
  return named.name;
}

// `set` takes the field, the settings and whether it is named by its alias.
template <typename Set>
Result<void> change_field(FunctionChange& change, std::string_view name, const Set& set) {
  const auto [field, by_alias] = find_change_field(name);
  if (field == nullptr) {
    return fail(errors::unknown_field,
                fmt::format("There is no field \"{}\" to change; allowed are {}, {} and file.",
                            replace_invalid_utf8(cut_utf8(name, 64)), change_field_names(), kClaim));
  }
  if (change.names(*field)) {
    return fail(errors::duplicate_field,
                fmt::format("{} is another name of {}; send one of the two.", field->alias, field->name));
  }
  return set(*field, change.change(*field), by_alias);
}

std::unexpected<Error> nothing_to_change() {
  return fail(
      errors::nothing_to_change,
      fmt::format("The request changes nothing; give at least one of {}, {} and file.", change_field_names(), kClaim));
}

std::optional<bool> flag_of(std::string_view text) {
  if (text == "true") return true;
  return text == "false" ? std::optional(false) : std::nullopt;
}

std::unexpected<Error> no_flag(const ErrorEntry& refusal, std::string_view name) {
  return fail(refusal, fmt::format("{} must be true or false.", name));
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
  for (const auto& field : setting_fields()) {
    const auto value = header_or_field(headers, form, field.header, field.name);
    if (!value) return fail(value.error());
    if (!*value) continue;
    if (auto set = set_from_text(field, wanted, **value); !set) return fail(set.error());
    std::visit([&](auto member) { wanted.given.change(field).*member = wanted.*member; }, field.member);
  }
  return wanted;
}

Result<bool> is_deployment(const FunctionForm& form, const app::NewFunction& wanted) {
  const auto given = form.fields.find(kDeploy);
  if (given == form.fields.end()) return false;
  const auto flag = flag_of(given->second);
  if (!flag) return no_flag(errors::invalid_deploy, kDeploy);
  if (*flag && !wanted.given.names(field_of(&FunctionSettings::name))) {
    return fail(errors::invalid_name,
                fmt::format("deploy=true needs the name of the function that is made or replaced: "
                            "\"{}\" would do.",
                            claimable_name_like(wanted.name)));
  }
  return *flag;
}

Result<WantedChange> change_from_form(const net::Headers& headers, const FunctionForm& form) {
  WantedChange change;
  for (const auto& [name, value] : form.fields) {
    if (name == kClaim) {
      const auto flag = flag_of(value);
      if (!flag) return no_flag(errors::invalid_claim, kClaim);
      change.claim = *flag;
      continue;
    }
    const auto set = [&value](const auto& field, auto& settings, bool by_alias) {
      return set_from_text(field, settings, value, by_alias);
    };
    if (auto changed = change_field(change, name, set); !changed) return fail(changed.error());
  }
  // Where a header says the same as a field, it is the header that holds.
  for (const auto& field : setting_fields()) {
    const auto value = field.header.empty() || field.fixed ? std::nullopt : headers.find(field.header);
    if (!value) continue;
    if (auto set = set_from_text(field, change.change(field), *value); !set) return fail(set.error());
  }
  if (form.bundle) change.original_name = replace_invalid_utf8(cut_utf8(form.original_name, limits::kMaxNameBytes));
  if (change.empty() && !form.bundle && !change.claim) return nothing_to_change();
  return change;
}

Result<WantedChange> change_from_json(std::string_view body) {
  const auto object = read_object(body);
  if (!object) return fail(object.error());
  WantedChange change;
  for (const auto& [name, value] : *object) {
    if (name == kClaim) {
      if (!value.is_bool()) return no_flag(errors::invalid_claim, kClaim);
      change.claim = value.get_bool();
      continue;
    }
    const auto set = [&value](const auto& field, auto& settings, bool by_alias) {
      return set_json(field, settings, value, by_alias);
    };
    if (auto changed = change_field(change, name, set); !changed) return fail(changed.error());
  }
  if (change.empty() && !change.claim) return nothing_to_change();
  return change;
}

}  // namespace infra::http
