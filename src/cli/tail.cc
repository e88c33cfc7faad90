#include "cli/tail.h"

#include <fmt/format.h>
#include <unistd.h>

#include <optional>

#include "cli/event_stream.h"
#include "cli/json_view.h"
#include "cli/run_result.h"
#include "core/json_value.h"

namespace infra::cli {
namespace {

class Tail {
 public:
  Tail(Api& runs, const Output& output, const std::function<Outcome<std::string>()>& start)
      : runs_(runs), output_(output), start_(start) {}

  // False once there is nothing more to hear: the run has ended, or never began.
  bool take(std::string_view piece) {
    if (!begin()) return false;
    reader_.take(piece);
    return !ended_;
  }

  // Every now and then while nothing comes: the end of the run may have been missed.
  bool look() {
    if (!job_) return true;
    const auto answer = runs_.get(fmt::format("/status/{}", net::percent_encode(*job_)));
    if (!answer) return true;
    const auto* object = answer->json.if_object();
    ended_ = object == nullptr || text_of(*object, "status") != "pending";
    return !ended_;
  }

  // False: the run could not be begun.
  bool begin() {
    if (job_) return true;
    if (failure_) return false;
    auto job = start_();
    if (job) {
      job_ = std::move(*job);
    } else {
      failure_ = std::move(job.error());
    }
    return job_.has_value();
  }

  Outcome<TailedRun> finish() {
    if (!begin()) return failed(std::move(*failure_));
    auto result = await_result(runs_, *job_);
    if (!result) return failed(std::move(result.error()));
    return TailedRun{.result = std::move(*result), .shown = std::move(shown_)};
  }

 private:
  void hear(const StreamedEvent& event) {
    const auto data = parse_json(event.data);
    const auto* object = data ? data->if_object() : nullptr;
    if (object == nullptr || text_of(*object, "requestId") != *job_) return;
    if (event.kind == "log") show(*object, event.data);
    ended_ |= event.kind == "run" && text_of(*object, "phase") == "finished";
  }

  void show(const boost::json::object& line, const std::string& data) {
    const bool is_error = text_of(line, "stream") == "stderr";
    const std::string text = text_of(line, "text");
    (is_error ? shown_.err : shown_.out) += text + '\n';
    if (output_.json()) return output_.aside(data);
    const std::string safe = isatty(STDERR_FILENO) == 1 ? printable(text, false) : text;
    output_.aside(output_.styled_on_stderr(safe, is_error ? Style::red : Style::plain));
  }

  Api& runs_;
  const Output& output_;
  const std::function<Outcome<std::string>()>& start_;
  std::optional<std::string> job_;
  std::optional<Failure> failure_;
  ShownLines shown_;
  bool ended_ = false;
  EventReader reader_{[this](const StreamedEvent& event) { hear(event); }};
};

}  // namespace

Outcome<TailedRun> run_and_tail(Api& runs, Api& events, const Output& output, std::string_view function,
                                const std::function<Outcome<std::string>()>& start) {
  Tail tail(runs, output, start);
  net::BlockingCall call;
  call.on_body = [&](std::string_view piece) { return tail.take(piece); };  // the first one says that it is heard
  call.meanwhile = [&] { return tail.look(); };
  (void)listen_to(events, function, std::move(call));
  return tail.finish();
}

}  // namespace infra::cli
