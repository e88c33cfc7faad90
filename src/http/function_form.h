// Reads what describes a function: a multipart form with its bundle, headers, or a JSON body.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "app/deploy_function.h"
#include "core/function.h"
#include "http/context.h"
#include "ports/staging.h"

namespace infra::http {

// A form as received; the bundle is complete and on disk.
struct FunctionForm {
  std::map<std::string, std::string, std::less<>> fields;
  std::string original_name;
  std::unique_ptr<StagedFile> bundle;  // null if the form had no file
};

// Streams the file part to disk. `unsupported_media` if the body is no multipart form; `too_large` past 50 MiB;
// `invalid` if there are two files or the file's field is not `file`, or a field comes twice.
Task<Result<FunctionForm>> read_form(net::Request& request, Staging& staging);

// An upload's settings, from its headers (which win) and fields.
[[nodiscard]] Result<app::NewFunction> new_function(const net::Headers& headers, const FunctionForm& form);

// Whether it is to make or replace the function of its name: the form's field `deploy`. Then `name` has to be given.
[[nodiscard]] Result<bool> is_deployment(const FunctionForm& form, const app::NewFunction& wanted);

struct WantedChange : FunctionChange {
  bool claim = false;  // the function's name is to be claimed
};

// A PUT's changes. Unknown fields, and changing nothing, are `invalid`.
[[nodiscard]] Result<WantedChange> change_from_form(const net::Headers& headers, const FunctionForm& form);
[[nodiscard]] Result<WantedChange> change_from_json(std::string_view body);

}  // namespace infra::http
