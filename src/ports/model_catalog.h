// The AI node's models, as the dashboard lists them. Engine: Ollama over HTTP.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/task.h"

namespace infra {

struct Model {
  std::string id;
  std::string name;
  std::optional<std::int64_t> size_bytes;
  std::string details_json;  // the node's own object, "{}" if it gave none
  std::string status;        // "available", or "fallback" for the default when the node can't be reached
};

struct ModelList {
  std::vector<Model> models;
  std::string warning;  // empty, or why these are the defaults
};

class ModelCatalog {
 public:
  virtual ~ModelCatalog() = default;
  // Never fails: a node that can't be reached within its timeout gives the default and a warning.
  virtual Task<ModelList> list() = 0;
};

}  // namespace infra
