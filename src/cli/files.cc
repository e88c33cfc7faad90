// infra files: what a run left in /output.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "cli/json_view.h"
#include "cli/run_commands.h"
#include "cli/session.h"
#include "core/json_value.h"

namespace infra::cli {
namespace {

namespace fs = std::filesystem;

// The platform's names are such already; a folder of this machine is not to depend on that.
bool stays_inside(const fs::path& name) {
  return !name.empty() && !name.is_absolute() &&
         std::ranges::none_of(name, [](const fs::path& part) { return part == ".."; });
}

Outcome<void> fetch(Api& api, const std::string& path, const fs::path& to) {
  std::error_code error;
  fs::create_directories(to.parent_path(), error);
  const fs::path part = to.string() + ".part";
  std::ofstream file(part, std::ios::binary | std::ios::trunc);
  if (!file) return wrong_usage(fmt::format("{} can't be written: {}.", part.string(), std::strerror(errno)));
  net::BlockingCall call{.timeout = std::chrono::minutes{10}};
  call.on_body = [&](std::string_view piece) {
    file.write(piece.data(), static_cast<std::streamsize>(piece.size()));
    return file.good();
  };
  auto answer = api.succeeded(api.send(std::move(call), path));
  file.close();
  if (answer && file.good()) fs::rename(part, to, error);
  if (answer && (!file.good() || error)) {
    fs::remove(part, error);
    return wrong_usage(fmt::format("{} can't be written.", to.string()));
  }
  if (answer) return {};
  fs::remove(part, error);
  return failed(std::move(answer.error()));
}

}  // namespace

Outcome<Exit> run_files(Session& session) {
  auto api = session.connect();
  if (!api) return failed(std::move(api.error()));
  const std::string job = session.arguments.word(0);
  const auto answer = (*api)->get("/status/" + net::percent_encode(job));
  if (!answer) return failed(answer.error());
  const auto* result = answer->json.if_object();
  if (result == nullptr || text_of(*result, "status") == "pending") {
    return failed({.exit = Exit::refused,
                   .message = "The run goes on.",
                   .next = fmt::format("infra status {} --wait", job),
                   .request_id = job});
  }
  const auto* const found = result->if_contains("outputFiles");
  const boost::json::value files = found == nullptr ? boost::json::array() : *found;
  const auto folder = session.arguments.value("--output");
  Rows rows = {{"FILE", "SIZE", "SHA-256"}};
  Outcome<void> fetched;
  for_each_object(files, [&](const boost::json::object& file) {
    const std::string name = text_of(file, "name");
    rows.push_back({name, size_text(number_of(file, "size").value_or(0)), text_of(file, "sha256")});
    if (!folder || !fetched) return;
    if (!stays_inside(name)) {
      fetched = failed({.exit = Exit::platform_failed, .message = fmt::format("The name {} leads out.", name)});
      return;
    }
    const std::string path =
        fmt::format("/functions/{}/logs/{}/files/{}", net::percent_encode(text_of(*result, "functionId")),
                    net::percent_encode(job), net::percent_encode(name));
    fetched = fetch(**api, path, fs::path(*folder) / name);
  });
  if (!fetched) return failed(std::move(fetched.error()));
  if (session.output.json()) {
    session.output.print(boost::json::serialize(files));
  } else if (rows.size() == 1) {
    session.output.note("The run left no files in /output.");
  } else {
    session.output.table(rows);
    session.output.note(folder ? fmt::format("fetched into {}", *folder)
                               : fmt::format("next: infra files {} -o DIR", job));
  }
  return Exit::ok;
}

}  // namespace infra::cli
