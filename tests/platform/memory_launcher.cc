#include "platform/memory_launcher.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <sstream>

#include "core/error_codes.h"
#include "core/limits.h"
#include "core/runtime.h"
#include "platform/memory_runner.h"

namespace infra::sim {
namespace {

using sandbox::UniqueFd;

std::unexpected<Error> no_descriptors(const char* step) {
  return fail(errors::no_descriptors,
              std::string("The simulated sandbox got no descriptor: ") + step + ": " + std::strerror(errno) + ".");
}

// The word by which a version's code is known: the last of its entry file's first line.
std::string name_of(const std::filesystem::path& version, Runtime runtime) {
  for (const auto entry : traits_of(runtime).entry_files) {
    std::ifstream file(version / entry);
    std::string line, word, last;
    if (!std::getline(file, line)) continue;
    for (std::istringstream words(line); words >> word;) last = word;
    return last;
  }
  return {};
}

// In memory, open for reading alone.
UniqueFd file_of(const std::string& content) {
  const UniqueFd file(::memfd_create("output", MFD_CLOEXEC));
  if (::write(file.get(), content.data(), content.size()) != static_cast<ssize_t>(content.size())) return UniqueFd();
  return UniqueFd(::open(("/proc/self/fd/" + std::to_string(file.get())).c_str(), O_RDONLY | O_CLOEXEC));
}

class MemorySandbox final : public sandbox::Sandbox {
 public:
  MemorySandbox(std::shared_ptr<RunnerState> state, std::shared_ptr<int> running, UniqueFd control, UniqueFd out,
                UniqueFd err)
      : state_(std::move(state)),
        running_(std::move(running)),
        control_(std::move(control)),
        out_(std::move(out)),
        err_(std::move(err)) {
    ++*running_;
    handles_ = {.control = control_.get(), .stdout_pipe = out_.get(), .stderr_pipe = err_.get()};
  }
  ~MemorySandbox() override {
    MemorySandbox::kill();
    --*running_;
  }
  MemorySandbox(const MemorySandbox&) = delete;
  MemorySandbox& operator=(const MemorySandbox&) = delete;

  sandbox::SandboxHandles& handles() override { return handles_; }
  void kill() override { state_->end({.exited = false, .exit_code = 0, .signal = SIGKILL, .out_of_memory = false}); }
  sandbox::SandboxExit wait(milliseconds patience) override {
    if (!state_->ended() && patience.count() > 0) {
      pollfd over{.fd = state_->is_over.get(), .events = POLLIN, .revents = 0};
      (void)state_->clock.poll({&over, 1}, state_->clock.steady_now() + patience);
    }
    kill();
    return *state_->exit;
  }
  sandbox::SandboxUsage usage() override { return state_->usage; }
  void reset_peak() override { state_->usage.peak_memory_bytes = state_->held_bytes; }
  sandbox::SandboxState look() override {
    if (state_->ended()) return {};
    return {.processes = state_->processes, .threads = 1, .output_bytes = state_->output_bytes};
  }
  void freeze() override {
    if (!state_->frozen && !state_->ended()) state_->thawed = state_->clock.make_signal();
    state_->frozen = !state_->ended();
  }
  void thaw() override {
    state_->frozen = false;
    if (state_->thawed) state_->thawed->notify();
  }
  bool has_output() override { return !state_->ended() && !state_->output.empty(); }
  sandbox::OutputTree take_output(milliseconds /*patience*/) override {
    sandbox::OutputTree tree;
    if (state_->ended()) return tree;
    auto files = std::exchange(state_->output, {});
    std::ranges::sort(files);
    state_->output_bytes = 0;
    for (auto& [name, content] : files) {
      sandbox::OutputEntry entry{.name = name, .left_out = sandbox::LeftOut::no, .file = UniqueFd()};
      if (content.size() > limits::kMaxOutputFileBytes) {
        entry.left_out = sandbox::LeftOut::too_large;
      } else {
        entry.file = file_of(content);
        if (!entry.file.valid()) entry.left_out = sandbox::LeftOut::no_descriptors;
      }
      tree.entries.push_back(std::move(entry));
    }
    return tree;
  }

 private:
  const std::shared_ptr<RunnerState> state_;
  const std::shared_ptr<int> running_;
  UniqueFd control_, out_, err_;
  sandbox::SandboxHandles handles_;
};

}  // namespace

Result<std::unique_ptr<sandbox::Sandbox>> MemoryLauncher::launch(const sandbox::LaunchRequest& request) {
  if (*running_ >= options_.capacity)
    return fail(errors::no_free_slot, "There are as many simulated sandboxes as there may be.");
  if (options_.takes) clock_.pause_until(clock_.steady_now() + options_.takes());
  if (options_.fails) {
    if (auto error = options_.fails()) return fail(*error);
  }
  if (*running_ >= options_.capacity)
    return fail(errors::no_free_slot, "There are as many simulated sandboxes as there may be.");

  std::array<int, 2> control{-1, -1}, out{-1, -1}, err{-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, control.data()) != 0) return no_descriptors("socketpair");
  auto state = std::make_shared<RunnerState>(clock_);
  UniqueFd our_control(control[0]);
  state->control.reset(control[1]);
  if (::pipe2(out.data(), O_CLOEXEC | O_NONBLOCK) != 0) return no_descriptors("pipe");
  UniqueFd our_out(out[0]);
  state->out.reset(out[1]);
  if (::pipe2(err.data(), O_CLOEXEC | O_NONBLOCK) != 0) return no_descriptors("pipe");
  UniqueFd our_err(err[0]);
  state->err.reset(err[1]);
  state->is_over.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!state->is_over.valid()) return no_descriptors("eventfd");
  (void)::fcntl(state->control.get(), F_SETFL, O_NONBLOCK);

  auto sandbox =
      std::make_unique<MemorySandbox>(state, running_, std::move(our_control), std::move(our_out), std::move(our_err));
  executor_.spawn("a simulated runner",
                  request.purpose == sandbox::LaunchPurpose::build
                      ? run_memory_builder(state, scheduler_)
                      : run_memory_runner(state, scheduler_, functions_,
                                          name_of(options_.versions / request.version, request.runtime)));
  return sandbox;
}

}  // namespace infra::sim
