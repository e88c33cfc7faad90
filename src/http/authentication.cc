#include "http/authentication.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include <array>
#include <memory>
#include <new>
#include <utility>

#include "core/client_address.h"
#include "core/error_codes.h"
#include "core/lru.h"
#include "core/mutex.h"
#include "core/text.h"

namespace infra::http {
namespace {

constexpr std::size_t kMaxAuditedTarget = 128;

using Digest = std::array<unsigned char, SHA256_DIGEST_LENGTH>;

// Keys are compared by their digests, so that neither their length nor a common prefix shows in the time it takes.
Digest digest(std::string_view key) {
  // Looked up once: OpenSSL's short forms do so each time, which takes longer than the digest.
  static const EVP_MD* const kSha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  Digest bytes;
  if (EVP_Digest(key.data(), key.size(), bytes.data(), nullptr, kSha256, nullptr) != 1) throw std::bad_alloc();
  return bytes;
}

std::optional<std::string_view> presented_key(const net::Headers& headers) {
  if (const auto key = headers.find("x-api-key")) return key;
  const auto authorization = headers.find("authorization");
  if (!authorization || authorization->size() < 7) return std::nullopt;
  if (ascii_lower(authorization->substr(0, 7)) != "bearer ") return std::nullopt;
  return authorization->substr(7);
}

net::Response no_room(Context& context) {
  auto response = refuse(context, {errors::too_many_connections,
                                   "The server has too many connections; try again later.", std::chrono::seconds(1)});
  response.headers.set("Connection", "close");
  return response;
}

// The addresses that have sent more wrong keys than they may: until they may again, their guesses cost no read.
class Guessers {
 public:
  void note(const std::string& address, SteadyTime until) {
    const MutexLock lock(mutex_);
    until_.use_or_make(address, [] { return SteadyTime{}; }) = until;
  }
  [[nodiscard]] bool has(const std::string& address, SteadyTime now) {
    const MutexLock lock(mutex_);
    const SteadyTime* const until = until_.peek(address);
    return until != nullptr && now < *until;
  }

 private:
  static constexpr std::size_t kRemembered = 10'000;
  Mutex mutex_;
  Lru<std::string, SteadyTime> until_ INFRA_GUARDED_BY(mutex_){kRemembered};
};

// What the key lacks for the route; nullopt if nothing.
std::optional<Error> lacking(const ApiKey& key, const Route& route) {
  if (!key.scopes.allow(route.scope)) {
    return Error{errors::key_not_allowed, fmt::format("The key {} lacks the scope {}, which {} {} needs.", key.id,
                                                      to_string(route.scope), route.method, route.pattern)};
  }
  if (key.functions && route.reach == Reach::platform) {
    return Error{errors::key_not_allowed,
                 fmt::format("The key {} is for certain functions, and {} {} reaches beyond them.", key.id,
                             route.method, route.pattern)};
  }
  return std::nullopt;
}

void audit_refusal(app::Audit& audit, const Context& context) {
  audit.refused({.key = std::string(context.caller()),
                 .action = fmt::format("{} {}", context.route->method, context.pattern),
                 .target = replace_invalid_utf8(cut_utf8(context.audit_target(), kMaxAuditedTarget)),
                 .request = context.id.value,
                 .outcome = context.error_code},
                rate_key(context.client));
}

struct Doorkeeper {
  Digest master;
  app::KnownKeys* named;
  app::Audit* audit;
  RateLimiter& limiter;
  const Clock& clock;
  Metrics& metrics;
  Pause after_wrong;
  std::shared_ptr<Guessers> guessers = std::make_shared<Guessers>();

  [[nodiscard]] bool is_master(std::string_view shown) const {
    const Digest given = digest(shown);
    return CRYPTO_memcmp(master.data(), given.data(), given.size()) == 0;
  }

  // Of a key that is not the master's.
  Task<net::Response> answer_named(Context& context, std::string_view shown, const Next& next) {
    auto parsed = named == nullptr ? std::nullopt : parse_api_key(shown);
    if (!parsed) co_return co_await turn_away(context, true);
    const bool may_ask = !guessers->has(rate_key(context.client), clock.steady_now());
    auto found = co_await named->find(std::move(*parsed), may_ask);
    if (!found) co_return refuse(context, found.error());
    if (*found == nullptr) co_return co_await turn_away(context, true);
    context.key = std::move(*found);
    co_return co_await admit(context, next);
  }

  // What the key may not is refused here, or by a handler that knows more; both are audited.
  Task<net::Response> admit(Context& context, const Next& next) {
    context.admitted = true;
    if (net::Origin* const origin = context.request.origin; origin != nullptr && !origin->show_key())
      co_return no_room(context);
    if (context.route == nullptr) co_return co_await next(context);
    const auto lacks = lacking(*context.key, *context.route);
    auto response = lacks ? refuse(context, *lacks) : co_await next(context);
    if (audit != nullptr && context.error_code == errors::key_not_allowed) audit_refusal(*audit, context);
    co_return response;
  }

  Task<net::Response> turn_away(Context& context, bool shown) {
    const std::string address = rate_key(context.client);
    const auto decision = co_await limiter.admit("auth:" + address);
    if (!decision.allowed) {
      guessers->note(address, clock.steady_now() + decision.reset_after);
      metrics.count("rate_limit_refusals_total", "auth");
      co_return refuse(context, too_many(decision, "requests with a wrong key"));
    }
    if (shown && after_wrong) co_await after_wrong();
    co_return refuse(context, {errors::unauthorized,
                               shown ? "The API key is wrong; check the x-api-key header."
                                     : "Send the API key in the x-api-key header (or as Authorization: Bearer)."});
  }
};

}  // namespace

Middleware authenticate(const Keyring& keys, RateLimiter& limiter, const Clock& clock, Metrics& metrics,
                        Pause after_wrong) {
  auto keeper = std::make_shared<Doorkeeper>(Doorkeeper{.master = digest(keys.master),
                                                        .named = keys.named,
                                                        .audit = keys.audit,
                                                        .limiter = limiter,
                                                        .clock = clock,
                                                        .metrics = metrics,
                                                        .after_wrong = std::move(after_wrong)});
  return [keeper = std::move(keeper)](Context& context, const Next& next) -> Task<net::Response> {
    net::Origin* const origin = context.request.origin;
    if (context.route != nullptr && context.route->access != Access::key) {
      if (context.route->access == Access::health && origin != nullptr) origin->ask_for_health();
      co_return co_await next(context);
    }
    const auto shown = presented_key(context.request.headers);
    const bool is_master = keeper->is_master(shown.value_or(""));
    if (!shown) co_return co_await keeper->turn_away(context, false);
    if (!is_master) co_return co_await keeper->answer_named(context, *shown, next);
    context.admitted = true;
    if (origin != nullptr && !origin->show_key()) co_return no_room(context);
    co_return co_await next(context);
  };
}

}  // namespace infra::http
