// Redis' protocol (RESP2) as bytes: commands out, replies in. hiredis' reader does the parsing and builds our own
// values as it goes.
#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "net/redis/redis_client.h"

namespace infra::net {

void append_command(std::string& out, const RedisCommand& command);

// Replies out of a stream of bytes. One thread.
class RedisReader {
 public:
  RedisReader();
  ~RedisReader();
  RedisReader(const RedisReader&) = delete;
  RedisReader& operator=(const RedisReader&) = delete;

  void feed(std::string_view bytes);
  // The next whole reply, nullopt if its end has not come yet; the error says what is wrong with the bytes, and nothing
  // can be read any more.
  std::expected<std::optional<RedisReply>, std::string> next();

 private:
  struct Parser;
  std::unique_ptr<Parser> parser_;
};

}  // namespace infra::net
