#include "net/http/blocking_http_client.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <array>
#include <boost/url/parse.hpp>
#include <chrono>
#include <new>
#include <optional>

#include "core/at_end.h"
#include "core/operator_error_codes.h"
#include "core/text.h"
#include "net/http/curl_parts.h"

namespace infra::net {
namespace {

bool is_this_machine(const std::string& url) {
  const auto parsed = boost::urls::parse_uri(url);
  if (!parsed) return false;
  const std::string_view host = parsed->encoded_host();
  return host == "localhost" || host == "[::1]" || host.starts_with("127.");
}

constexpr std::chrono::seconds kMeanwhile{1};

// What curl's callbacks need of one call.
struct Exchange {
  const BlockingCall& call;
  CURL* easy;
  Response response{};
  std::optional<Error> body_error{};
  std::uint64_t received = 0;
  bool too_large = false;
  SteadyTime next_meanwhile = std::chrono::steady_clock::now() + kMeanwhile;

  std::size_t give(std::span<char> room) {
    auto given = call.read_body(room);
    if (given) return *given;
    body_error = std::move(given.error());
    return CURL_READFUNC_ABORT;
  }

  void take_header(std::string_view line) {
    if (line.starts_with("HTTP/")) {  // of a 1xx answer, too
      long status = 0;
      curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
      response = Response{.status = static_cast<int>(status), .headers = {}, .body = {}};
    } else if (const auto colon = line.find(':'); colon != std::string_view::npos) {
      response.headers.add(std::string(line.substr(0, colon)), std::string(trim(line.substr(colon + 1))));
    }
  }

  // curl asks as often as it likes.
  bool go_on() {
    const auto now = std::chrono::steady_clock::now();
    if (now < next_meanwhile) return true;
    const bool goes_on = call.meanwhile();
    next_meanwhile = std::chrono::steady_clock::now() + kMeanwhile;
    return goes_on;
  }

  bool take_body(std::string_view piece) {
    received += piece.size();
    too_large = received > call.max_response_bytes;
    if (too_large) return false;
    if (call.on_body && response.status / 100 == 2) return call.on_body(piece);
    response.body.append(piece);
    return true;
  }
};

Error error_of(CURLcode code, const Exchange& exchange, const std::string& origin, const char* words) {
  if (exchange.body_error) return *exchange.body_error;
  if (exchange.too_large)
    return {errors::http_too_large, "The answer of " + origin + " is larger than " +
                                        std::to_string(exchange.call.max_response_bytes) + " bytes."};
  if (code == CURLE_OPERATION_TIMEDOUT) return {errors::http_timeout, origin + " did not answer in time."};
  if (code == CURLE_PEER_FAILED_VERIFICATION)
    return {errors::http_untrusted,
            fmt::format("{} is not trusted: {}.", origin, *words != 0 ? words : curl_easy_strerror(code))};
  const bool never_sent = code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST ||
                          code == CURLE_SSL_CONNECT_ERROR || code == CURLE_SSL_CACERT_BADFILE;
  return {never_sent ? errors::http_unreachable : errors::http_unavailable,
          "No answer from " + origin + ": " + (*words != 0 ? words : curl_easy_strerror(code)) + "."};
}

}  // namespace

struct BlockingHttpClient::State {
  State() : easy(curl_easy_init()) {
    if (easy == nullptr) throw std::bad_alloc();
  }
  ~State() { curl_easy_cleanup(easy); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  template <typename T>
  void set(CURLoption option, T value) const {
    curl_easy_setopt(easy, option, value);
  }

  CURL* easy;
  std::string ca_file;
};

BlockingHttpClient::BlockingHttpClient(std::string ca_file) : state_(std::make_unique<State>()) {
  state_->ca_file = std::move(ca_file);
}

BlockingHttpClient::~BlockingHttpClient() = default;

Result<Response> BlockingHttpClient::send(const BlockingCall& call) {
  if (!is_sendable(call))
    return fail(errors::http_invalid_request, "A request's method, URL or header has a line break in it.");
  const State& state = *state_;
  curl_easy_reset(state.easy);  // connections stay
  const AtEnd forget_call([&] { curl_easy_reset(state.easy); });
  Exchange exchange{.call = call, .easy = state.easy};
  std::array<char, CURL_ERROR_SIZE> words{};
  state.set(CURLOPT_ERRORBUFFER, words.data());
  state.set(CURLOPT_URL, call.url.c_str());
  state.set(CURLOPT_PATH_AS_IS, 1L);
  state.set(CURLOPT_PROTOCOLS_STR, "http,https");
  state.set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  state.set(CURLOPT_TCP_KEEPALIVE, 1L);
  if (is_this_machine(call.url)) state.set(CURLOPT_PROXY, "");
  if (!state.ca_file.empty()) state.set(CURLOPT_CAINFO, state.ca_file.c_str());
  state.set(CURLOPT_TIMEOUT_MS, static_cast<long>(call.timeout.count()));
  state.set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(call.connect_timeout.count()));

  HeaderList lines;
  for (const auto& [name, value] : call.headers.all())
    lines.add(value.empty() ? name + ";" : fmt::format("{}: {}", name, value));
  // A name with nothing behind it keeps curl from adding its own.
  for (const char* const name : {"Expect", "Content-Type"}) {
    if (!call.headers.find(name)) lines.add(std::string(name) + ":");
  }
  if (call.read_body) {
    lines.add("Transfer-Encoding: chunked");
    state.set(CURLOPT_POST, 1L);
    state.set(CURLOPT_READDATA, &exchange);
    state.set(
        CURLOPT_READFUNCTION, +[](char* into, std::size_t size, std::size_t count, void* self) {
          return static_cast<Exchange*>(self)->give({into, size * count});
        });
  } else if (!call.body.empty() || call.method != "GET") {
    state.set(CURLOPT_POST, 1L);
    state.set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(call.body.size()));
    state.set(CURLOPT_POSTFIELDS, call.body.c_str());
  }
  state.set(CURLOPT_CUSTOMREQUEST, call.method.c_str());
  state.set(CURLOPT_HTTPHEADER, lines.list);
  state.set(CURLOPT_HEADERDATA, &exchange);
  state.set(
      CURLOPT_HEADERFUNCTION, +[](char* data, std::size_t size, std::size_t count, void* self) {
        static_cast<Exchange*>(self)->take_header({data, size * count});
        return size * count;
      });
  state.set(CURLOPT_WRITEDATA, &exchange);
  state.set(
      CURLOPT_WRITEFUNCTION, +[](char* data, std::size_t size, std::size_t count, void* self) {
        return static_cast<Exchange*>(self)->take_body({data, size * count}) ? size * count : std::size_t{0};
      });
  if (call.meanwhile) {
    state.set(CURLOPT_NOPROGRESS, 0L);
    state.set(CURLOPT_XFERINFODATA, &exchange);
    state.set(
        CURLOPT_XFERINFOFUNCTION, +[](void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
          return static_cast<Exchange*>(self)->go_on() ? 0 : 1;
        });
  }
  const CURLcode code = curl_easy_perform(state.easy);
  if (code != CURLE_OK) return fail(error_of(code, exchange, origin_of(call.url), words.data()));
  return std::move(exchange.response);
}

}  // namespace infra::net
