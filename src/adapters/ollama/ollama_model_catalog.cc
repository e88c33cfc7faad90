#include "adapters/ollama/ollama_model_catalog.h"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "adapters/ollama/node_url.h"
#include "core/json_value.h"

namespace infra {
namespace {

namespace json = boost::json;

constexpr std::uint64_t kMaxAnswerBytes = 4 * 1024 * 1024;

ModelList fallback(std::string why) {
  const Model standard{.id = "llama3:8b",
                       .name = "llama3:8b (Default)",
                       .size_bytes = std::nullopt,
                       .details_json = "{}",
                       .status = "fallback"};
  return {.models = {standard},
          .warning = "The AI node's models are not known, this is the default: " + std::move(why)};
}

std::optional<Model> read_model(const json::value& value) {
  const auto* const object = value.if_object();
  if (object == nullptr) return std::nullopt;
  Model model;
  model.name = text_of(*object, "name");
  model.id = text_of(*object, "model");
  if (model.name.empty()) model.name = model.id;
  if (model.id.empty()) model.id = model.name;
  if (model.id.empty()) return std::nullopt;
  const auto* const size = object->if_contains("size");
  if (size != nullptr && size->is_int64()) model.size_bytes = size->get_int64();
  const auto* const details = object->if_contains("details");
  model.details_json = details != nullptr && details->is_object() ? json::serialize(*details) : "{}";
  model.status = "available";
  return model;
}

std::optional<std::vector<Model>> read_models(std::string_view body) {
  const auto root = parse_json(body);
  if (!root || !root->is_object()) return std::nullopt;
  const auto* const listed = root->get_object().if_contains("models");
  if (listed == nullptr || !listed->is_array()) return std::nullopt;
  std::vector<Model> models;
  for (const auto& value : listed->get_array()) {
    if (auto model = read_model(value)) models.push_back(std::move(*model));
  }
  return models;
}

}  // namespace

OllamaModelCatalog::OllamaModelCatalog(net::HttpClient& http, std::string node_url, milliseconds timeout)
    : http_(http), tags_url_(node_endpoint(std::move(node_url), "/api/tags")), timeout_(timeout) {}

Task<ModelList> OllamaModelCatalog::list() {
  net::ClientRequest request;
  request.url = tags_url_;
  request.timeout = timeout_;
  request.connect_timeout = timeout_;
  request.max_response_bytes = kMaxAnswerBytes;
  auto answer = co_await http_.send(std::move(request));
  if (!answer) co_return fallback(std::move(answer.error().message));
  if (answer->status != 200)
    co_return fallback(fmt::format("the node answered /api/tags with status {}.", answer->status));
  auto models = read_models(answer->body);
  if (!models) co_return fallback("the node's answer to /api/tags is no list of models.");
  co_return ModelList{.models = std::move(*models), .warning = ""};
}

}  // namespace infra
