#include "cli/session.h"

namespace infra::cli {

Outcome<std::unique_ptr<Api>> Session::connect() const {
  const auto project = read_project_file(".");
  if (!project) return failed(project.error());
  return connect(*project);
}

Outcome<std::unique_ptr<Api>> Session::connect(const ProjectFile& project) const {
  auto chosen = choose_connection(arguments, connection_variables(), project.url, profiles);
  if (!chosen) return failed(std::move(chosen.error()));
  return std::make_unique<Api>(std::move(*chosen));
}

}  // namespace infra::cli
