#include "cli/deploy.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <functional>
#include <memory>

#include "cli/code_folder.h"
#include "cli/json_view.h"
#include "cli/run_commands.h"
#include "cli/session.h"
#include "cli/zip_stream.h"
#include "core/json_value.h"
#include "core/operator_error_codes.h"

namespace infra::cli {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

// With compiling; the platform ends that itself before.
constexpr std::chrono::minutes kUploadPatience{20};

// The bytes of a ZIP, one after the other; 0 at the end.
using ZipBytes = std::function<Outcome<std::size_t>(std::span<char>)>;

struct Packing {
  ZipBytes read;
  std::uint64_t size = 0;                 // of what is packed
  std::function<std::uint64_t()> done{};  // of that
  std::vector<std::string> paths{};
};

Outcome<Packing> pack(const fs::path& code) {
  std::error_code error;
  Packing packing;
  if (fs::is_directory(code, error)) {
    auto folder = read_code_folder(code);
    if (!folder) return failed(std::move(folder.error()));
    packing.size = folder->size();
    std::ranges::transform(folder->files, std::back_inserter(packing.paths), &CodeFile::path);
    const auto zip = std::make_shared<ZipStream>(std::move(folder->files));
    packing.read = [zip](std::span<char> room) { return zip->read(room); };
    packing.done = [zip] { return zip->bytes_packed(); };
    return packing;
  }
  const auto file = std::make_shared<std::ifstream>(code, std::ios::binary);
  if (!*file) return wrong_usage(fmt::format("{} can't be read: {}.", code.string(), std::strerror(errno)));
  packing.size = fs::file_size(code, error);
  packing.paths = paths_in_zip(code);
  const auto sent = std::make_shared<std::uint64_t>(0);
  packing.done = [sent] { return *sent; };
  packing.read = [file, sent, code](std::span<char> room) -> Outcome<std::size_t> {
    file->read(room.data(), static_cast<std::streamsize>(room.size()));
    if (file->bad()) return wrong_usage(fmt::format("{} can't be read to its end.", code.string()));
    *sent += static_cast<std::uint64_t>(file->gcount());
    return static_cast<std::size_t>(file->gcount());
  };
  return packing;
}

std::string new_boundary() {
  std::array<unsigned char, 16> bytes{};
  static_cast<void>(getrandom(bytes.data(), bytes.size(), 0));  // as many are always there at once
  std::string boundary = "infra-";
  for (const unsigned char byte : bytes) boundary += fmt::format("{:02x}", byte);
  return boundary;
}

std::string form_fields(const std::vector<ApiSetting>& settings, std::string_view boundary) {
  std::string form;
  const auto field = [&](std::string_view name, std::string_view value) {
    form += fmt::format("--{}\r\nContent-Disposition: form-data; name=\"{}\"\r\n\r\n{}\r\n", boundary, name, value);
  };
  field("deploy", "true");
  for (const auto& setting : settings) {
    field(setting.name, setting.name == "name" ? net::percent_encode(setting.value) : setting.value);
  }
  form += fmt::format("--{}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"code.zip\"\r\n\r\n", boundary);
  return form;
}

// A bar, where a person has waited long enough to wonder.
class Progress {
 public:
  Progress(const Output& output, const Packing& packing) : output_(output), packing_(packing) {}
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void show() {
    constexpr std::chrono::milliseconds kBefore{500};
    constexpr std::chrono::milliseconds kBetween{100};
    const auto now = Clock::now();
    if (now < begun_ + kBefore || now < last_ + kBetween) return;
    last_ = now;
    shown_ = true;
    constexpr int kWidth = 30;
    const double part =
        packing_.size == 0 ? 1 : static_cast<double>(packing_.done()) / static_cast<double>(packing_.size);
    const int full = static_cast<int>(std::min(part, 1.0) * kWidth);
    output_.progress(fmt::format("Uploading [{:#<{}}{:.<{}}] {:3.0f} % of {}", "", full, "", kWidth - full, part * 100,
                                 size_text(static_cast<double>(packing_.size))));
  }
  void all_sent() {
    if (shown_) output_.progress("Sent; the platform looks at it (and compiles it, if it is source)…");
  }
  void clear() {
    if (shown_) output_.progress("");
    shown_ = false;
  }

 private:
  const Output& output_;
  const Packing& packing_;
  const Clock::time_point begun_ = Clock::now();
  Clock::time_point last_{};
  bool shown_ = false;
};

Outcome<Answer> upload(Api& api, const Packing& packing, const std::vector<ApiSetting>& settings,
                       const Output& output) {
  const std::string boundary = new_boundary();
  const std::string head = form_fields(settings, boundary);
  const std::string tail = fmt::format("\r\n--{}--\r\n", boundary);
  Progress progress(output, packing);
  std::optional<Failure> broken;
  enum class Part : unsigned char { head, zip, tail } part = Part::head;
  std::size_t at = 0;
  net::BlockingCall call{.method = "POST", .timeout = kUploadPatience};
  call.headers.set("Content-Type", fmt::format("multipart/form-data; boundary={}", boundary));
  call.read_body = [&](std::span<char> room) -> Result<std::size_t> {
    progress.show();
    if (part == Part::head) {
      const std::size_t count = head.copy(room.data(), room.size(), at);
      at += count;
      if (count > 0) return count;
      part = Part::zip;
      at = 0;
    }
    if (part == Part::zip) {
      auto count = packing.read(room);
      if (!count) {
        broken = std::move(count.error());
        return fail(errors::http_body_short, broken->message);
      }
      if (*count > 0) return *count;
      part = Part::tail;
      progress.all_sent();
    }
    const std::size_t count = tail.copy(room.data(), room.size(), at);
    at += count;
    return count;
  };
  auto answer = api.send(std::move(call), "/upload");
  progress.clear();
  if (broken) return failed(std::move(*broken));
  return api.succeeded(std::move(answer));
}

// A folder's or ZIP's own name, without what no name may have.
std::string name_of(const fs::path& code) {
  std::error_code error;
  const fs::path whole = fs::absolute(code, error).lexically_normal();
  const fs::path last = whole.has_filename() ? whole.filename() : whole.parent_path().filename();
  std::string name = last.extension() == ".zip" ? last.stem().string() : last.string();
  std::ranges::replace_if(
      name,
      [](char c) { return !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'); },
      '-');
  return name;
}

}  // namespace

fs::path project_folder(const fs::path& code) {
  std::error_code error;
  if (fs::is_directory(code, error)) return code;
  return code.has_parent_path() ? code.parent_path() : ".";
}

Outcome<Deployment> read_deployment(const fs::path& code, const ProjectFile& project, const Arguments& arguments) {
  std::error_code error;
  if (!fs::exists(code, error))
    return wrong_usage(fmt::format("There is no {}.", code.string()), "infra init RUNTIME NAME makes a function");
  auto options = with_arguments(project.options, arguments);
  if (!options) return failed(std::move(options.error()));
  Deployment deployment{.code = code, .project = project_folder(code), .name = {}, .options = std::move(*options)};
  auto& name = deployment.options.values["name"];
  if (name.empty()) name = name_of(code);
  deployment.name = name;
  return deployment;
}

Outcome<Answer> deploy(Api& api, const Deployment& deployment, const Output& output) {
  auto packing = pack(deployment.code);
  if (!packing) return failed(std::move(packing.error()));
  FunctionOptions options = deployment.options;
  // Without a guess the platform says what is there in the place of an entry file, or that the runtime stays.
  if (!options.values.contains("runtime")) {
    if (auto runtime = guess_runtime(packing->paths)) options.values["runtime"] = std::move(*runtime);
  }
  const auto settings = api_settings(options);
  if (!settings) return failed(settings.error());
  return upload(api, *packing, *settings, output);
}

Outcome<Exit> run_deploy(Session& session) {
  const fs::path code = session.arguments.words().empty() ? "." : session.arguments.word(0);
  const auto project = read_project_file(project_folder(code));
  if (!project) return failed(project.error());
  const auto deployment = read_deployment(code, *project, session.arguments);
  if (!deployment) return failed(deployment.error());
  auto api = session.connect(*project);
  if (!api) return failed(std::move(api.error()));
  const auto answer = deploy(**api, *deployment, session.output);
  if (!answer) return failed(answer.error());
  if (session.output.json()) {
    session.output.print(answer->text);
    return Exit::ok;
  }
  if (const auto* object = answer->json.if_object()) {
    session.output.print(fmt::format("{} {} ({}, {} MB)", text_of(*object, "deployed"), deployment->name,
                                     shown(*object, "runtime"), shown(*object, "memoryMb")));
  }
  const bool has_event = [&] {
    std::error_code error;
    return fs::exists(deployment->project / kEventFile, error);
  }();
  session.output.note(fmt::format(
      "next: infra invoke {}{}", deployment->name,
      has_event ? fmt::format(" -d @{}", (deployment->project / kEventFile).lexically_normal().string()) : ""));
  return Exit::ok;
}

}  // namespace infra::cli
