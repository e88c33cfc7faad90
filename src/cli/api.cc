#include "cli/api.h"

#include <fmt/format.h>

#include <array>

#include "core/error_codes.h"
#include "core/ids.h"
#include "core/json_value.h"
#include "core/operator_error_codes.h"

namespace infra::cli {
namespace {

constexpr std::string_view kByName = "name:";

struct NextStep {
  const ErrorEntry* code;
  std::string_view next;
};

constexpr std::array kNextSteps = {
    NextStep{&errors::function_not_found, "infra list"},
    NextStep{&errors::name_not_found, "infra list; a function from before has its name by infra update ID --claim"},
    NextStep{&errors::configuration_absent, "ids do without names: infra list"},
    NextStep{&errors::job_not_found, "infra logs NAME shows the runs that have ended"},
    NextStep{&errors::egress_unavailable, "deploy without --network, or ask who runs the platform"},
    NextStep{&errors::bundle_entry_missing, "add the entry file, or say --runtime"},
    NextStep{&errors::nothing_to_apply, "leave its memory as it is"},
    NextStep{&errors::function_quarantined, "deploy a version that does not end its worker"},
};

std::string next_step(const Error& error, const std::string& url) {
  if (error.code == errors::http_untrusted) {
    return fmt::format(
        "use a host that its certificate names; an authority of your own: infra login {} --ca-file FILE, in scripts "
        "INFRA_CA_FILE",
        url);
  }
  return fmt::format("is Infra running at {}? infra dev starts one; infra login URL names another", url);
}

std::string next_step(const Answer& answer, std::string_view code, const std::string& url) {
  if (answer.status == 401) return fmt::format("infra login {}", url);
  for (const auto& [known, next] : kNextSteps) {
    if (code == *known) return std::string(next);
  }
  if (const auto wait = answer.headers.find("Retry-After")) return fmt::format("try again in {} s", *wait);
  if (answer.status >= 500) return "try again; if it stays so, give the request's id to who runs the platform";
  return {};
}

}  // namespace

Api::Api(Connection connection) : connection_(std::move(connection)), http_(connection_.ca_file) {}

Outcome<Answer> Api::send(net::BlockingCall call, std::string_view path) {
  call.url = connection_.url + std::string(path);
  call.headers.set("x-api-key", connection_.key);
  call.headers.set("User-Agent", "infra/" INFRA_VERSION);
  auto response = http_.send(call);
  if (!response) {
    return failed({.exit = Exit::unreachable,
                   .message = response.error().message,
                   .next = next_step(response.error(), connection_.url)});
  }
  auto json = parse_json(response->body).value_or(nullptr);
  return Answer{.status = response->status,
                .headers = std::move(response->headers),
                .text = std::move(response->body),
                .json = std::move(json)};
}

Outcome<Answer> Api::get(std::string_view path) {
  return succeeded(send({}, path));
}

Outcome<Answer> Api::ask(std::string_view method, std::string_view path, std::string body) {
  net::BlockingCall call{.method = std::string(method), .body = std::move(body)};
  if (!call.body.empty()) call.headers.set("Content-Type", "application/json");
  return succeeded(send(std::move(call), path));
}

Outcome<Answer> Api::succeeded(Outcome<Answer> answer) const {
  if (!answer) return answer;
  if (answer->status >= 400) return failed(failure_of(*answer));
  if (answer->status >= 300 || !answer->headers.find("x-request-id")) {
    return failed({.exit = Exit::unreachable,
                   .message = fmt::format("What answers at {} is no Infra: {}.", connection_.url, answer->status),
                   .next = "infra login URL"});
  }
  return answer;
}

Failure Api::failure_of(const Answer& answer) const {
  Failure failure{.exit = answer.status >= 500 ? Exit::platform_failed : Exit::refused};
  if (const auto* object = answer.json.if_object()) {
    failure.message = text_of(*object, "error");
    failure.code = text_of(*object, "code");
    failure.request_id = text_of(*object, "requestId");
  }
  if (failure.request_id.empty()) failure.request_id = answer.headers.find("x-request-id").value_or("");
  if (failure.message.empty())
    failure.message = fmt::format("{} answered {} without saying why.", connection_.url, answer.status);
  if (failure.code == errors::compile_error) failure.exit = Exit::function_failed;
  failure.next = next_step(answer, failure.code, connection_.url);
  return failure;
}

std::string reference(std::string_view name_or_id) {
  const bool as_it_is = uuid_version(name_or_id) || name_or_id.starts_with(kByName);
  return (as_it_is ? "" : std::string(kByName)) + std::string(name_or_id);
}

std::string function_path(std::string_view name_or_id) {
  const std::string whole = reference(name_or_id);
  const bool by_name = whole.starts_with(kByName);
  const std::string_view rest = std::string_view(whole).substr(by_name ? kByName.size() : 0);
  return fmt::format("/functions/{}{}", by_name ? kByName : "", net::percent_encode(rest));
}

}  // namespace infra::cli
