// A request's state on its way through the middleware to its handler.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/api_key.h"
#include "core/ids.h"
#include "core/trace_context.h"
#include "net/http/http_types.h"

namespace infra::http {

struct Route;

// What a change's entry in the audit has beside its route: a handler fills it in.
struct AuditNotes {
  std::string target{};  // empty: the function's id
  std::string before{};  // JSON without secrets
  std::string after{};
};

struct Context {
  net::Request& request;
  RequestId id;
  TraceContext trace = {};                     // this request's own span
  SpanBytes parent = {};                       // the span that it comes of; zeros: none
  const Route* route = nullptr;                // null: no such path, or not by this method
  std::string_view pattern = "unmatched";      // the route's, for logs and metrics
  std::vector<std::string_view> methods = {};  // that the path has
  std::string client = {};                     // the sender's address, proxies taken into account
  std::string prefix = {};                     // "/api" if it came by that name, else empty: links keep it
  std::vector<std::pair<std::string_view, std::string>> params = {};  // of the pattern: ":id" -> decoded value
  FunctionId function = {};                                           // for the log, once a handler knows it
  std::string error_code = {};                                        // for the log, if the answer is an error
  std::shared_ptr<const ApiKey> key = {};  // that it came with; null: the master key, or none
  AuditNotes audit = {};
  bool admitted = false;  // past the key: what becomes of it is worth an event
  bool told = false;      // an event of its own says what came of it, or will
  std::string timing =
      {};  // parts of the time that the request took, as Server-Timing has them; empty: nothing is told

  // The key's functions; null: all of them.
  [[nodiscard]] const FunctionList* own_functions() const { return key && key->functions ? &*key->functions : nullptr; }
  // What the audit says that was changed, or was to be.
  [[nodiscard]] const std::string& audit_target() const { return audit.target.empty() ? function.value : audit.target; }
  // "master", or the named key's id; empty before it is known.
  [[nodiscard]] std::string_view caller() const {
    if (!admitted) return {};
    return key ? std::string_view(key->id) : "master";
  }

  [[nodiscard]] const std::string& param(std::string_view name) const;  // must exist in the pattern
};

}  // namespace infra::http
