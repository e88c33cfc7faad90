#include "net/http/curl_http_client.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <optional>
#include <span>
#include <vector>

#include "core/operator_error_codes.h"
#include "core/text.h"
#include "net/http/curl_multi.h"
#include "net/http/curl_parts.h"

namespace infra::net {
namespace {

constexpr std::size_t kMaxHeaderBytes = 256 * 1024;

// One request while it runs. curl calls back into it, so it stays where it is.
class Call final : public CurlTransfer {
 public:
  explicit Call(ClientRequest request) : request_(std::move(request)) {
    set_target();
    set_headers();
    set_callbacks();
  }

  [[nodiscard]] Result<Response> take_result() {
    if (body_error_) return fail(std::move(*body_error_));
    if (too_large_) {
      return fail(errors::http_too_large, "The answer of " + origin_of(request_.url) + " is larger than " +
                                              std::to_string(request_.max_response_bytes) + " bytes.");
    }
    if (code() == CURLE_OK) return std::move(response_);
    const auto where = origin_of(request_.url);
    if (code() == CURLE_OPERATION_TIMEDOUT) {
      return fail(errors::http_timeout, where + " did not answer in time.");
    }
    const char* const why = code() == CURLE_ABORTED_BY_CALLBACK ? "the call was called off"
                            : stopped_                          ? "the caller stopped reading"
                            : error_text_[0] != 0               ? error_text_.data()
                                                                : curl_easy_strerror(code());
    const bool never_sent = code() == CURLE_COULDNT_CONNECT || code() == CURLE_COULDNT_RESOLVE_HOST;
    return fail(never_sent ? errors::http_unreachable : errors::http_unavailable,
                "No answer from " + where + ": " + why + ".");
  }

  Task<void> feed() override {
    const ByteSourcePtr source = source_;
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(kBodyPieceBytes, source->size() - fetched_));
    piece_.resize(wanted);
    auto got = co_await source->read(piece_);
    if (source != source_) co_return;  // the request has begun anew meanwhile, and asks again
    if (!got) {
      body_error_ = std::move(got.error());
    } else if (*got == 0) {
      body_error_ = Error{errors::http_body_short, "What was to be sent ended before its size."};
    }
    piece_.resize(got.value_or(0));
    given_ = 0;
    fetched_ += piece_.size();
  }

 private:
  template <typename T>
  void set(CURLoption option, T value) {
    curl_easy_setopt(easy(), option, value);
  }

  void set_target() {
    set(CURLOPT_URL, request_.url.c_str());
    set(CURLOPT_PATH_AS_IS, 1L);  // what was signed is what is sent
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_PROXY, "");  // also keeps curl from reading http_proxy
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_TCP_KEEPALIVE, 1L);
    set(CURLOPT_BUFFERSIZE, 64L * 1024);
    set(CURLOPT_TIMEOUT_MS, at_least_one(request_.timeout));
    set(CURLOPT_CONNECTTIMEOUT_MS, at_least_one(request_.connect_timeout));
    if (request_.method == "HEAD") {
      set(CURLOPT_NOBODY, 1L);
      return;
    }
    if (request_.open_body) {
      set_source();
      return;
    }
    const std::string_view body = request_.borrowed_body.empty() ? request_.body : request_.borrowed_body;
    if (!body.empty() || request_.method == "POST" || request_.method == "PUT" || request_.method == "PATCH") {
      set(CURLOPT_POST, 1L);
      set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
      set(CURLOPT_POSTFIELDS, body.data());  // NOLINT(bugprone-suspicious-stringview-data-usage): its size is set above
    }
    set(CURLOPT_CUSTOMREQUEST, request_.method.c_str());
  }

  void set_source() {
    source_ = request_.open_body();
    set(CURLOPT_POST, 1L);
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(source_->size()));
    set(CURLOPT_READDATA, this);
    set(
        CURLOPT_READFUNCTION, +[](char* into, std::size_t size, std::size_t count, void* self) {
          return static_cast<Call*>(self)->give_body({into, size * count});
        });
    set(CURLOPT_SEEKDATA, this);
    set(
        CURLOPT_SEEKFUNCTION, +[](void* self, curl_off_t offset, int origin) {
          return offset == 0 && origin == SEEK_SET ? static_cast<Call*>(self)->begin_body_anew() : CURL_SEEKFUNC_FAIL;
        });
    set(CURLOPT_CUSTOMREQUEST, request_.method.c_str());
  }

  void set_headers() {
    for (const auto& [name, value] : request_.headers.all()) {
      header_list_.add(value.empty() ? fmt::format("{};", name) : fmt::format("{}: {}", name, value));
    }
    // A name with nothing behind it keeps curl from adding its own.
    for (const char* const name : {"Expect", "Content-Type", "Accept"}) {
      if (!request_.headers.find(name)) header_list_.add(std::string(name) + ":");
    }
    set(CURLOPT_HTTPHEADER, header_list_.list);
  }

  void set_callbacks() {
    set(CURLOPT_ERRORBUFFER, error_text_.data());
    set(CURLOPT_HEADERDATA, this);
    set(
        CURLOPT_HEADERFUNCTION, +[](char* data, std::size_t size, std::size_t count, void* self) {
          return static_cast<Call*>(self)->take_header({data, size * count}) ? size * count : std::size_t{0};
        });
    set(CURLOPT_WRITEDATA, this);
    set(
        CURLOPT_WRITEFUNCTION, +[](char* data, std::size_t size, std::size_t count, void* self) {
          return static_cast<Call*>(self)->take_body({data, size * count}) ? size * count : std::size_t{0};
        });
  }

  std::size_t give_body(std::span<char> room) {
    if (body_error_) return CURL_READFUNC_ABORT;
    if (given_ == piece_.size()) {
      if (fetched_ == source_->size()) return 0;
      starve();
      return CURL_READFUNC_PAUSE;
    }
    const std::size_t count = std::min(room.size(), piece_.size() - given_);
    std::copy_n(piece_.data() + given_, count, room.data());
    given_ += count;
    return count;
  }

  int begin_body_anew() {
    source_ = request_.open_body();
    piece_.clear();
    given_ = 0;
    fetched_ = 0;
    return CURL_SEEKFUNC_OK;
  }

  static long at_least_one(milliseconds time) { return static_cast<long>(std::max<std::int64_t>(time.count(), 1)); }

  // One line of a header block, the blank one included. A 1xx answer's block comes before the real one, trailers after
  // it.
  bool take_header(std::string_view line) {
    header_bytes_ += line.size();
    if (header_bytes_ > kMaxHeaderBytes) return !(too_large_ = true);
    if (head_done_) return true;
    if (line.starts_with("HTTP/")) {
      long status = 0;
      curl_easy_getinfo(easy(), CURLINFO_RESPONSE_CODE, &status);
      response_ = Response{.status = static_cast<int>(status), .headers = {}, .body = {}};
      return true;
    }
    if (trim(line).empty()) {
      head_done_ = response_.status >= 200;
      if (head_done_ && request_.on_header) request_.on_header(response_);
      return true;
    }
    const auto colon = line.find(':');
    if (colon != std::string_view::npos) {
      response_.headers.add(std::string(line.substr(0, colon)), std::string(trim(line.substr(colon + 1))));
    }
    return true;
  }

  bool take_body(std::string_view piece) {
    body_bytes_ += piece.size();
    if (body_bytes_ > request_.max_response_bytes) return !(too_large_ = true);
    if (!request_.on_body) {
      response_.body.append(piece);
      return true;
    }
    stopped_ = !request_.on_body(piece);
    return !stopped_;
  }

  ClientRequest request_;
  Response response_;
  HeaderList header_list_;
  std::array<char, CURL_ERROR_SIZE> error_text_{};
  ByteSourcePtr source_;
  std::vector<char> piece_;    // of the source
  std::size_t given_ = 0;      // of the piece
  std::uint64_t fetched_ = 0;  // of the source
  std::optional<Error> body_error_;
  std::size_t header_bytes_ = 0;
  std::uint64_t body_bytes_ = 0;
  bool head_done_ = false;
  bool too_large_ = false;
  bool stopped_ = false;
};

Task<Result<Response>> perform(std::shared_ptr<CurlMulti> multi, ClientRequest request) {
  if (!is_sendable(request)) {
    co_return fail(errors::http_invalid_request, "A request's method, URL or header has a line break in it.");
  }
  Call call(std::move(request));
  co_await multi->run(call);
  co_return call.take_result();
}

}  // namespace

// One multi handle an event thread; `multis[i]` is only ever touched on thread i.
struct CurlHttpClient::State {
  struct Slots {
    std::vector<std::shared_ptr<CurlMulti>> multis;
  };

  explicit State(EventLoops& l) : loops(l), slots(std::make_shared<Slots>()) { slots->multis.resize(l.size()); }

  std::shared_ptr<CurlMulti> multi_for(const boost::asio::any_io_executor& executor) {
    const auto& context = boost::asio::query(executor, boost::asio::execution::context);
    for (std::size_t i = 0; i < loops.size(); ++i) {
      if (static_cast<boost::asio::execution_context*>(&loops.loop(i)) != &context) continue;
      auto& multi = slots->multis[i];
      if (!multi) multi = std::make_shared<CurlMulti>(loops.loop(i));
      return multi;
    }
    throw std::logic_error("CurlHttpClient::send was called from outside the event threads");
  }

  EventLoops& loops;
  std::shared_ptr<Slots> slots;
};

CurlHttpClient::CurlHttpClient(EventLoops& loops) : state_(std::make_unique<State>(loops)) {}

// Calls in flight hold their thread's multi handle; each is ended there, with an error.
CurlHttpClient::~CurlHttpClient() {
  for (std::size_t i = 0; i < state_->loops.size(); ++i) {
    if (state_->loops.loop(i).stopped()) continue;  // its thread has ended: nothing runs, and nothing would
    boost::asio::post(state_->loops.loop(i), [slots = state_->slots, i] {
      if (auto multi = std::move(slots->multis[i])) multi->close();
    });
  }
}

Task<Result<Response>> CurlHttpClient::send(ClientRequest request) {
  const auto executor = co_await boost::asio::this_coro::executor;
  co_return co_await perform(state_->multi_for(executor), std::move(request));
}

}  // namespace infra::net
