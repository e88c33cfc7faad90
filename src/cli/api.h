// The platform's HTTP interface (docs/http-api.md) as commands use it.
#pragma once

#include <boost/json.hpp>
#include <functional>
#include <string>
#include <string_view>

#include "cli/connection.h"
#include "cli/failure.h"
#include "net/http/blocking_http_client.h"

namespace infra::cli {

struct Answer {
  int status = 0;
  net::Headers headers;
  std::string text;
  boost::json::value json;  // null if it is none
};

class Api {
 public:
  explicit Api(Connection connection);

  [[nodiscard]] const Connection& connection() const { return connection_; }

  // Any answer. A failure: nobody answered.
  [[nodiscard]] Outcome<Answer> send(net::BlockingCall call, std::string_view path);
  // Only an answer below 400; else a failure that says what the platform said.
  [[nodiscard]] Outcome<Answer> get(std::string_view path);
  [[nodiscard]] Outcome<Answer> ask(std::string_view method, std::string_view path, std::string body = {});
  // As failure_of(); or the answer.
  [[nodiscard]] Outcome<Answer> succeeded(Outcome<Answer> answer) const;
  [[nodiscard]] Failure failure_of(const Answer& answer) const;

 private:
  Connection connection_;
  net::BlockingHttpClient http_;
};

// A function as paths and bodies name it: an id as it is, else name:NAME.
[[nodiscard]] std::string reference(std::string_view name_or_id);
// "/functions/REFERENCE", percent-encoded.
[[nodiscard]] std::string function_path(std::string_view name_or_id);

}  // namespace infra::cli
