// hiredis hands each piece of a reply to functions of ours with a pointer to where it belongs, so that a reply is built
// once. A bulk text is copied out of hiredis' buffer, nothing else is.
#include "net/redis/redis_wire.h"

#include <fmt/format.h>
#include <hiredis/read.h>

#include <algorithm>
#include <iterator>
#include <new>
#include <utility>

namespace infra::net {
namespace {

constexpr std::size_t kUsualElements = 16;

// Elements are made one by one, as they come: a few bytes can announce two billion of them. The ones before are whole
// by then, so that hiredis has no pointer to any that moves.
RedisReply* place_for(const redisReadTask* task) {
  if (task->parent == nullptr) return new RedisReply;
  return &static_cast<RedisReply*>(task->parent->obj)->elements.emplace_back();
}

void* create_text(const redisReadTask* task, char* text, std::size_t size) noexcept {
  RedisReply* const reply = place_for(task);
  reply->type = task->type == REDIS_REPLY_STATUS  ? RedisReply::Type::status
                : task->type == REDIS_REPLY_ERROR ? RedisReply::Type::error
                                                  : RedisReply::Type::text;
  reply->text.assign(text, size);
  return reply;
}

void* create_array(const redisReadTask* task, int count) noexcept {
  RedisReply* const reply = place_for(task);
  reply->type = RedisReply::Type::array;
  if (count > 0) reply->elements.reserve(std::min(static_cast<std::size_t>(count), kUsualElements));
  return reply;
}

void* create_integer(const redisReadTask* task, long long value) noexcept {
  RedisReply* const reply = place_for(task);
  reply->type = RedisReply::Type::integer;
  reply->integer = value;
  return reply;
}

void* create_nil(const redisReadTask* task) noexcept {
  return place_for(task);
}

void free_root(void* reply) noexcept {
  delete static_cast<RedisReply*>(reply);
}

redisReplyObjectFunctions* reply_functions() {
  static redisReplyObjectFunctions functions{.createString = create_text,
                                             .createArray = create_array,
                                             .createInteger = create_integer,
                                             .createNil = create_nil,
                                             .freeObject = free_root};
  return &functions;
}

}  // namespace

void append_command(std::string& out, const RedisCommand& command) {
  fmt::format_to(std::back_inserter(out), "*{}\r\n", command.size());
  for (const std::string& word : command) {
    fmt::format_to(std::back_inserter(out), "${}\r\n", word.size());
    out.append(word).append("\r\n");
  }
}

struct RedisReader::Parser {
  Parser() : reader(redisReaderCreateWithFunctions(reply_functions())) {
    if (reader == nullptr) throw std::bad_alloc();
  }
  ~Parser() { redisReaderFree(reader); }
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;

  redisReader* reader;
};

RedisReader::RedisReader() : parser_(std::make_unique<Parser>()) {}
RedisReader::~RedisReader() = default;

void RedisReader::feed(std::string_view bytes) {
  redisReaderFeed(parser_->reader, bytes.data(), bytes.size());
}

std::expected<std::optional<RedisReply>, std::string> RedisReader::next() {
  void* root = nullptr;
  if (redisReaderGetReply(parser_->reader, &root) != REDIS_OK) return std::unexpected(parser_->reader->errstr);
  if (root == nullptr) return std::nullopt;
  const std::unique_ptr<RedisReply> reply(static_cast<RedisReply*>(root));
  return std::optional(std::move(*reply));
}

}  // namespace infra::net
