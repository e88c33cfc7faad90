#include "worker/code/builds.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <fstream>

#include "core/at_end.h"
#include "core/bundle_rules.h"
#include "core/error_codes.h"
#include "core/executable.h"
#include "core/json_members.h"
#include "core/json_scalar.h"
#include "core/object_keys.h"
#include "core/system_errors.h"
#include "core/text.h"
#include "telemetry/log.h"
#include "worker/code/executables.h"
#include "worker/runner/exchange.h"

namespace infra::worker {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxWords = 16 * 1024;  // of a compiler
constexpr std::size_t kMaxNote = 2 * 1024;    // of the builder, on them
constexpr std::size_t kFailuresKept = 100;
constexpr std::chrono::hours kFailureKept{1};  // a machine that was busy may do better; new code has no failure
constexpr milliseconds kExitPatience{1000};

std::unexpected<Error> broken_source(std::string message) {
  return fail(errors::compile_error, std::move(message));
}

std::unexpected<Error> stopping() {
  return fail(errors::shutting_down, "The platform is stopping.");
}

// Whole lines, as many as are allowed.
std::string bounded(std::string_view words) {
  std::string text(cut_utf8(words, kMaxWords));
  if (words.size() <= kMaxWords) return text;
  text.resize(text.rfind('\n') + 1);
  return text + "[cut: the first errors are kept]";
}

std::unexpected<Error> missing(const RuntimeTraits& runtime) {
  return fail(errors::compiler_missing,
              fmt::format("This worker has no {}, which compiles the function: install Debian's {}, or upload a ready "
                          "binary as main.",
                          runtime.compiler, runtime.compiler_package));
}

// The builder runs beside the compiler, which reads what a stranger wrote: its answer is believed as little as a
// runner's.
Result<std::string> read_answer(std::string answer) {
  if (answer.starts_with("\x7f"
                         "ELF")) {
    return answer;
  }
  const auto words = RawObject::read(answer);
  if (!words) return broken_source("The compiler's answer could not be read.");
  const std::string lacking = words->string("missing");
  for (const auto& runtime : kRuntimes) {
    if (!lacking.empty() && lacking == runtime.compiler) return missing(runtime);
  }
  const std::string note = json_string_value(words->text("note").value_or(""), kMaxNote).value_or("");
  // A character more than is kept shows that there is more.
  const auto failed = json_string_value(words->text("failed").value_or(""), kMaxWords + 4).value_or("");
  return broken_source("The code does not compile:\n" + bounded(failed) + (note.empty() ? "" : "\n" + note));
}

Result<void> write_program(const fs::path& folder, const std::string& program) {
  std::error_code error;
  fs::create_directory(folder / kOwnFolder, error);
  errno = 0;
  std::ofstream file(folder / kBuiltProgram, std::ios::binary);
  file << program;
  file.close();
  if (!file) return disk_failure(errno, errors::disk_failed, "The compiled program could not be written.");
  return prepare_executable(folder, kBuiltProgram);
}

}  // namespace

Task<Result<void>> Builds::provide(std::string sha256, Runtime runtime, fs::path folder, std::string sender) {
  const Source source{.sha256 = std::move(sha256), .runtime = runtime, .folder = folder, .sender = std::move(sender)};
  const auto program = co_await fetch_or_compile(source);
  if (!program) co_return fail(program.error());
  Result<void> written;
  co_await executor_.offload([&] { written = write_program(folder, *program); });
  co_return written;
}

Task<Result<std::string>> Builds::fetch_or_compile(const Source& source) {
  if (auto known = known_failure(source.sha256)) co_return fail(std::move(*known));
  const std::string key = build_key(source.sha256, machine_name());
  auto kept = co_await store_.get_object(key);
  if (kept && check_executable(std::string_view(*kept).substr(0, kExecutableStart))) co_return kept;
  const auto started = clock_.steady_now();
  auto program = co_await compile(source);
  if (program) {
    const auto checked = check_executable(std::string_view(*program).substr(0, kExecutableStart));
    if (!checked) program = fail(checked.error());
  }
  if (!program) {
    if (program.error().kind != ErrorKind::unavailable) remember_failure(source.sha256, program.error());
    co_return program;
  }
  const std::chrono::duration<double, std::milli> spent = clock_.steady_now() - started;
  log::info("compiled",
            {{"codeSha256", source.sha256}, {"runtime", to_string(source.runtime)}, {"durationMs", spent.count()}});
  if (const auto stored = co_await store_.put_object(key, *program); !stored) {
    log::warn("a compiled program could not be stored; other workers will compile it too",
              {{"code", stored.error().code}});
  }
  co_return program;
}

Task<Result<std::string>> Builds::compile(const Source& source) {
  const auto turn = co_await line_.enter(source.sender);
  if (!turn) co_return fail(turn.error());
  if (auto known = known_failure(source.sha256)) co_return fail(std::move(*known));  // learnt while this one waited
  if (const auto room = co_await room_.enter(source.sha256); !room) co_return fail(room.error());
  const AtEnd room([&] { room_.leave(source.sha256); });
  Result<std::string> program;
  co_await executor_.offload([&] { program = compile_blocking(source); });
  co_return program;
}

Result<std::string> Builds::compile_blocking(const Source& source) {
  auto sandbox = launcher_.launch({.runtime = source.runtime,
                                   .version = source.folder.filename(),
                                   .memory_mb = limits_.memory_mb,
                                   .purpose = sandbox::LaunchPurpose::build});
  if (!sandbox) return fail(sandbox.error());
  if (!note_running(sandbox->get())) return stopping();
  const AtEnd running([&] { forget_running(sandbox->get()); });
  return talk(**sandbox, source);
}

Result<std::string> Builds::talk(sandbox::Sandbox& sandbox, const Source& source) {
  if (auto ready = await_ready(sandbox.handles(), clock_, "The compiler's sandbox"); !ready) return fail(ready.error());
  auto built =
      exchange(sandbox.handles(), clock_, {.kind = kProgramFrame, .budget = room_.frames, .owner = source.sha256},
               fmt::format(R"({{"runtime":"{}"}})", to_string(source.runtime)), clock_.steady_now() + limits_.time);
  if (built.end == ExchangeEnd::answered) {
    return read_answer(std::move(built.answer.text));
  }
  if (built.end == ExchangeEnd::timed_out) {
    return broken_source(fmt::format("Compiling took longer than {} ms.", limits_.time.count()));
  }
  const auto exit = sandbox.wait(kExitPatience);
  {
    const MutexLock lock(mutex_);
    if (aborted_) return stopping();
  }
  if (exit.out_of_memory) {
    return broken_source(fmt::format("Compiling took more than {} MB of memory.", limits_.memory_mb));
  }
  return broken_source("The compiler ended without an answer.");
}

void Builds::abort() {
  const MutexLock lock(mutex_);
  aborted_ = true;
  for (sandbox::Sandbox* sandbox : running_) sandbox->kill();
}

bool Builds::note_running(sandbox::Sandbox* sandbox) {
  const MutexLock lock(mutex_);
  if (!aborted_) running_.insert(sandbox);
  return !aborted_;
}

void Builds::forget_running(sandbox::Sandbox* sandbox) {
  const MutexLock lock(mutex_);
  running_.erase(sandbox);
}

void Builds::remember_failure(const std::string& sha256, const Error& error) {
  const SteadyTime now = clock_.steady_now();
  const MutexLock lock(mutex_);
  std::erase_if(failures_, [now](const auto& known) { return known.second.until <= now; });
  if (failures_.size() >= kFailuresKept)
    failures_.erase(std::ranges::min_element(failures_, {}, [](const auto& known) { return known.second.until; }));
  failures_.insert_or_assign(sha256, Failure{.error = error, .until = now + kFailureKept});
}

std::optional<Error> Builds::known_failure(const std::string& sha256) {
  const MutexLock lock(mutex_);
  const auto found = failures_.find(sha256);
  if (found == failures_.end() || found->second.until <= clock_.steady_now()) return std::nullopt;
  return found->second.error;
}

}  // namespace infra::worker
