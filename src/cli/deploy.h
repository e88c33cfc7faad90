// Packing a function's folder and uploading it, for `infra deploy` and `infra watch`.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cli/api.h"
#include "cli/failure.h"
#include "cli/function_options.h"
#include "cli/output.h"

namespace infra::cli {

struct Deployment {
  std::filesystem::path code;     // a folder or a ZIP
  std::filesystem::path project;  // where infra.toml is
  std::string name;
  FunctionOptions options;  // name and runtime among them
};

// What is to be deployed, by the options and infra.toml beside the code.
[[nodiscard]] Outcome<Deployment> read_deployment(const std::filesystem::path& code, const ProjectFile& project,
                                                  const Arguments& arguments);
// The folder that infra.toml of this code is in.
[[nodiscard]] std::filesystem::path project_folder(const std::filesystem::path& code);

// Uploads it, in place of the function of that name. The platform's answer.
[[nodiscard]] Outcome<Answer> deploy(Api& api, const Deployment& deployment, const Output& output);

}  // namespace infra::cli
