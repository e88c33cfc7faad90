// The models an Ollama node offers, read from its /api/tags.
#pragma once

#include <string>

#include "core/time.h"
#include "net/http/http_client.h"
#include "ports/model_catalog.h"

namespace infra {

class OllamaModelCatalog final : public ModelCatalog {
 public:
  // `http` is borrowed. `node_url` without a path: "http://127.0.0.1:11434".
  OllamaModelCatalog(net::HttpClient& http, std::string node_url, milliseconds timeout);

  Task<ModelList> list() override;

 private:
  net::HttpClient& http_;
  std::string tags_url_;
  milliseconds timeout_;
};

}  // namespace infra
