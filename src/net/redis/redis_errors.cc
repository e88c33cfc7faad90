#include "net/redis/redis_errors.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "core/error_codes.h"

namespace infra::net {
namespace {

bool says_not_now(std::string_view kind) {
  static constexpr std::array kKinds{"LOADING", "CLUSTERDOWN", "MASTERDOWN", "READONLY",   "OOM",
                                     "BUSY",    "TRYAGAIN",    "MISCONF",    "NOREPLICAS", "NOAUTH"};
  return std::ranges::find(kKinds, kind) != kKinds.end();
}

}  // namespace

Error redis_unavailable(std::string message) {
  return Error{errors::redis_unavailable, std::move(message), std::chrono::seconds(1)};
}

std::string_view kind_of(const RedisReply& reply) {
  if (reply.type != RedisReply::Type::error) return {};
  return std::string_view(reply.text).substr(0, reply.text.find(' '));
}

Result<RedisReply> judge(Result<RedisReply> reply) {
  if (!reply || reply->type != RedisReply::Type::error) return reply;
  if (says_not_now(kind_of(*reply))) {
    return fail(
        redis_unavailable(fmt::format("Redis can't carry out the command now ({}); try again later.", reply->text)));
  }
  // Of a command that it does not know Redis repeats the arguments, which do not belong into a log.
  const std::string_view words = std::string_view(reply->text).substr(0, reply->text.find(", with args"));
  return fail(errors::redis_refused, fmt::format("Redis refused a command: {}", words));
}

}  // namespace infra::net
