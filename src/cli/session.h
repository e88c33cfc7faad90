// What a command works with: what was typed, where it prints, and the platform that it asks.
#pragma once

#include <memory>
#include <string>

#include "cli/api.h"
#include "cli/arguments.h"
#include "cli/function_options.h"
#include "cli/output.h"
#include "cli/profiles.h"

namespace infra::cli {

class Session {
 public:
  Session(const Arguments& typed, const Output& out) : arguments(typed), output(out) {}

  // By an infra.toml in this folder; or by one that has been read.
  [[nodiscard]] Outcome<std::unique_ptr<Api>> connect() const;
  [[nodiscard]] Outcome<std::unique_ptr<Api>> connect(const ProjectFile& project) const;

  const Arguments& arguments;
  const Output& output;
  const Profiles profiles{configuration_folder()};
};

}  // namespace infra::cli
