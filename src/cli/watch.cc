// infra watch: deploys a folder and runs its test event again whenever something in it is saved.
#include <fmt/format.h>
#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "cli/code_folder.h"
#include "cli/deploy.h"
#include "cli/run_commands.h"
#include "cli/run_result.h"
#include "cli/session.h"
#include "core/json_text.h"
#include "core/json_value.h"
#include "core/limits.h"

namespace infra::cli {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

// Of the kernel, for as long as it lives.
class FolderWatch {
 public:
  FolderWatch() : events_(inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {}
  ~FolderWatch() {
    if (events_ >= 0) close(events_);
  }
  FolderWatch(const FolderWatch&) = delete;
  FolderWatch& operator=(const FolderWatch&) = delete;

  Outcome<void> add(const fs::path& folder) const {
    constexpr std::uint32_t kWhat = IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB;
    if (inotify_add_watch(events_, folder.c_str(), kWhat | IN_ONLYDIR) >= 0 || errno == ENOENT) return {};
    return wrong_usage(fmt::format("{} can't be watched: {}.", folder.string(), std::strerror(errno)));
  }

  // Until something happens, and then until nothing more does for a moment: editors save in several steps.
  void wait() const {
    constexpr int kMoment = 5;  // ms
    for (int patience = -1; is_ready(patience); patience = kMoment) drain();
  }

 private:
  [[nodiscard]] bool is_ready(int patience) const {
    pollfd ready{.fd = events_, .events = POLLIN, .revents = 0};
    return ::poll(&ready, 1, patience) > 0;
  }
  void drain() const {
    std::array<char, std::size_t{16} * 1024> events{};
    while (read(events_, events.data(), events.size()) > 0) {
    }
  }

  int events_;
};

struct Round {
  const fs::path& code;
  const Arguments& arguments;
  const Output& output;

  [[nodiscard]] Outcome<Exit> run(Api& api) const {
    const auto begun = Clock::now();
    const auto project = read_project_file(code);
    if (!project) return failed(project.error());
    const auto deployment = read_deployment(code, *project, arguments);
    if (!deployment) return failed(deployment.error());
    if (auto deployed = deploy(api, *deployment, output); !deployed) return failed(std::move(deployed.error()));
    const auto deployed_at = Clock::now();

    std::string event = "null";
    if (std::ifstream file(code / kEventFile, std::ios::binary); file)
      event.assign(std::istreambuf_iterator<char>(file), {});
    if (!parse_json(event)) return wrong_usage(fmt::format("{} is no JSON.", (code / kEventFile).string()));
    net::BlockingCall call{.method = "POST", .timeout = limits::kSyncWait + std::chrono::seconds{20}};
    call.headers.set("Content-Type", "application/json");
    call.body = fmt::format(R"({{"functionId":{},"inputData":{}}})", json_quote(reference(deployment->name)), event);
    auto answer = api.send(std::move(call), "/run");
    if (!answer) return failed(std::move(answer.error()));
    const auto* object = answer->json.if_object();
    const bool is_result = object != nullptr && object->contains("status") && object->contains("requestId");
    if (!is_result) {
      answer = api.succeeded(std::move(answer));
      if (!answer) return failed(std::move(answer.error()));
    }
    auto shown = show_result(output, answer->text, deployment->name);
    using Milliseconds = std::chrono::duration<double, std::milli>;
    output.note(fmt::format("deployed in {:.0f} ms, run in {:.0f} ms", Milliseconds(deployed_at - begun).count(),
                            Milliseconds(Clock::now() - deployed_at).count()));
    return shown;
  }
};

}  // namespace

Outcome<Exit> run_watch(Session& session) {
  const fs::path code = session.arguments.words().empty() ? "." : session.arguments.word(0);
  std::error_code error;
  if (!fs::is_directory(code, error))
    return wrong_usage(fmt::format("{} is no folder.", code.string()), "infra init RUNTIME NAME makes one");
  const auto project = read_project_file(code);
  if (!project) return failed(project.error());
  auto api = session.connect(*project);
  if (!api) return failed(std::move(api.error()));
  const Round round{.code = code, .arguments = session.arguments, .output = session.output};
  const FolderWatch watch;
  while (true) {
    // Before the round, so that what is saved meanwhile is not missed; anew each time, as folders come and go.
    if (const auto folder = read_code_folder(code); folder) {
      for (const auto& path : folder->folders) {
        if (auto added = watch.add(path); !added) return failed(std::move(added.error()));
      }
    } else if (auto added = watch.add(code); !added) {
      return failed(std::move(added.error()));
    }
    if (const auto done = round.run(**api); !done) session.output.failure(done.error());
    session.output.note(session.output.styled_on_stderr("watching; Ctrl-C ends it", Style::dim));
    watch.wait();
  }
}

}  // namespace infra::cli
