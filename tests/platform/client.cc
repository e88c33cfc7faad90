#include "platform/client.h"

#include "core/json_text.h"
#include "platform/memory_function.h"
#include "support/zip_builder.h"

namespace infra::sim {
namespace {

constexpr std::string_view kBoundary = "----a-world-apart";

void add_part(std::string& body, std::string_view name, std::string_view file, std::string_view content) {
  body.append("--").append(kBoundary).append("\r\nContent-Disposition: form-data; name=\"").append(name).append("\"");
  if (!file.empty()) body.append("; filename=\"").append(file).append("\"");
  body.append("\r\n\r\n").append(content).append("\r\n");
}

}  // namespace

boost::json::object Answer::json() const {
  boost::system::error_code error;
  auto parsed = boost::json::parse(body, error);
  return !error && parsed.is_object() ? std::move(parsed.get_object()) : boost::json::object();
}

std::string Answer::text(std::string_view name) const {
  const auto object = json();
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

Task<Answer> Client::send(Sent sent) {
  auto exchange = std::make_shared<Exchanged>();
  exchange->request = {
      .method = std::move(sent.method), .path = {}, .query = {}, .headers = {}, .peer = address_, .arrived = {}};
  const auto mark = sent.target.find('?');
  exchange->request.path = sent.target.substr(0, mark);
  if (mark != std::string::npos) exchange->request.query = sent.target.substr(mark + 1);
  exchange->request.headers.add("x-api-key", std::string(kApiKey));
  for (auto& [name, value] : sent.headers) exchange->request.headers.add(std::move(name), std::move(value));
  exchange->body = std::move(sent.body);
  exchange->ended = world_.clock().make_signal();
  if (door_.server == nullptr || !door_.server->take(exchange)) co_return Answer{.refused = true};
  co_await exchange->ended->wait_until(world_.clock().steady_now() + sent.patience);
  if (!exchange->response) co_return Answer{.arrival = exchange->arrival};
  co_return Answer{.status = exchange->response->status,
                   .headers = std::move(exchange->response->headers),
                   .body = std::move(exchange->response->body),
                   .arrival = exchange->arrival};
}

Task<Answer> Client::send_form(std::string method, std::string target, Upload upload) {
  std::string body;
  for (const auto& [name, value] : upload.settings) add_part(body, name, "", value);
  if (!upload.name.empty()) add_part(body, "name", "", upload.name);
  if (!upload.code.empty()) {
    testing::ZipBuilder zip;
    zip.add("main.py", MemoryFunctions::source(upload.code));
    add_part(body, "file", "function.zip", zip.bytes());
  }
  body.append("--").append(kBoundary).append("--\r\n");
  co_return co_await send({.method = std::move(method),
                           .target = std::move(target),
                           .body = std::move(body),
                           .headers = {{"Content-Type", "multipart/form-data; boundary=" + std::string(kBoundary)}}});
}

Task<Answer> Client::upload(const Upload& upload) {
  Upload form = upload;
  form.settings.emplace_back("runtime", "python");
  return send_form("POST", "/upload", std::move(form));
}

Task<Answer> Client::update(const std::string& function, const Upload& upload) {
  return send_form("PUT", "/functions/" + function, upload);
}

Task<Answer> Client::run(const std::string& function, const std::string& input, bool async) {
  std::vector<net::Header> headers{{"Content-Type", "application/json"}};
  if (async) headers.emplace_back("x-async", "true");
  return send({.method = "POST",
               .target = "/run",
               .body = R"({"functionId":)" + json_quote(function) + R"(,"inputData":)" + input + "}",
               .headers = std::move(headers)});
}

}  // namespace infra::sim
