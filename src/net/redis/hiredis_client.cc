// What to do with an answer: hand it on, follow it to another server, wait a little, or make an Error of it.
#include "net/redis/hiredis_client.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "net/redis/redis_errors.h"
#include "net/redis/redis_router.h"
#include "net/redis/redis_wire.h"

namespace infra::net {

namespace asio = boost::asio;

namespace {

constexpr int kMaxRedirections = 5;
constexpr int kMaxPauses = 5;
constexpr milliseconds kFirstPause{20};

SteadyTime now() {
  return std::chrono::steady_clock::now();
}

std::string sha1_hex(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha1(), nullptr) != 1) {
    throw std::runtime_error("OpenSSL has no SHA-1, by which Redis names its scripts.");
  }
  std::string hex;
  for (unsigned i = 0; i < size; ++i) hex += fmt::format("{:02x}", digest[i]);
  return hex;
}

Task<void> sleep(milliseconds pause) {
  asio::steady_timer timer(co_await asio::this_coro::executor, pause);
  (void)co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
}

// One command to the server that has its key. An error reply that no waiting and no other server can help stays a
// reply.
Task<Result<RedisReply>> exchange(std::shared_ptr<RedisRouter> router, RedisCommand command, std::string key,
                                  SteadyTime deadline) {
  std::string text;
  append_command(text, command);
  command.clear();
  const auto bytes = std::make_shared<const std::string>(std::move(text));
  auto node = router->node_for(key);
  bool asking = false;
  int redirections = 0;
  int pauses = 0;
  while (true) {
    auto reply = co_await node->run({.bytes = bytes, .asking = std::exchange(asking, false), .deadline = deadline});
    if (!reply) router->relearn();  // perhaps the slot has a new master
    const std::string_view kind = reply ? kind_of(*reply) : std::string_view();
    if (kind == "TRYAGAIN" || kind == "CLUSTERDOWN") {
      const milliseconds pause = kFirstPause * (1 << pauses);
      if (++pauses > kMaxPauses || now() + pause >= deadline) co_return reply;
      router->relearn();
      co_await sleep(pause);
      node = router->node_for(key);
      continue;
    }
    const auto redirection = kind.empty() ? std::nullopt : parse_redirection(reply->text, node->address());
    if (!redirection) co_return reply;
    if (++redirections > kMaxRedirections) {
      co_return fail(
          redis_unavailable("Redis' servers send a command from one to the other; check that the cluster agrees."));
    }
    if (!redirection->ask) router->note_moved(*redirection);
    asking = redirection->ask;
    node = router->node_at(redirection->to);
  }
}

}  // namespace

RedisScript::RedisScript(std::string source) : source_(std::move(source)), sha1_(sha1_hex(source_)) {}

struct HiredisClient::State {
  State(EventLoops& loops, RedisOptions given)
      : options(std::move(given)),
        home(loops.next()),
        router(std::make_shared<RedisRouter>(home, make_redis_target(options))) {}

  [[nodiscard]] SteadyTime deadline(milliseconds timeout) const {
    return now() + (timeout.count() > 0 ? timeout : options.command_timeout);
  }

  RedisOptions options;
  asio::io_context& home;
  std::shared_ptr<RedisRouter> router;
};

HiredisClient::HiredisClient(EventLoops& loops, RedisOptions options)
    : state_(std::make_shared<State>(loops, std::move(options))) {}

HiredisClient::~HiredisClient() {
  if (!state_->home.stopped()) state_->router->close();
}

void HiredisClient::start() {
  state_->router->start();
}

bool HiredisClient::connected() const {
  return state_->router->connected();
}

Task<Result<RedisReply>> HiredisClient::command(RedisCommand command, std::string key, milliseconds timeout) {
  const auto state = state_;
  co_return judge(co_await exchange(state->router, std::move(command), std::move(key), state->deadline(timeout)));
}

Task<Result<RedisReply>> HiredisClient::eval(const RedisScript& script, std::string key,
                                             std::vector<std::string> arguments, milliseconds timeout) {
  const auto state = state_;
  const SteadyTime deadline = state->deadline(timeout);
  RedisCommand command{"EVALSHA", script.sha1(), "1", key};
  std::ranges::move(arguments, std::back_inserter(command));
  auto reply = co_await exchange(state->router, command, key, deadline);
  if (reply && kind_of(*reply) == "NOSCRIPT") {
    command[0] = "EVAL";
    command[1] = script.source();
    reply = co_await exchange(state->router, std::move(command), std::move(key), deadline);
  }
  co_return judge(std::move(reply));
}

}  // namespace infra::net
