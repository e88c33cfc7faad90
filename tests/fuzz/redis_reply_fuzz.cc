// Redis' replies: the same in pieces as whole, no larger than what came of them, and read again as they were when they
// are written. And who has which slot of a cluster, out of such replies.
#include <fmt/format.h>

#include <string>
#include <vector>

#include "fuzz/target.h"
#include "net/redis/redis_slots.h"
#include "net/redis/redis_wire.h"

namespace infra::fuzz {
namespace {

using net::RedisReply;
using Type = RedisReply::Type;

void write(const RedisReply& reply, std::string& out) {
  switch (reply.type) {
    case Type::nil:
      out += "$-1\r\n";
      return;
    case Type::status:
      out += "+" + reply.text + "\r\n";
      return;
    case Type::error:
      out += "-" + reply.text + "\r\n";
      return;
    case Type::integer:
      out += fmt::format(":{}\r\n", reply.integer);
      return;
    case Type::text:
      out += fmt::format("${}\r\n{}\r\n", reply.text.size(), reply.text);
      return;
    case Type::array:
      out += fmt::format("*{}\r\n", reply.elements.size());
      for (const auto& element : reply.elements) write(element, out);
      return;
  }
}

std::size_t count(const RedisReply& reply) {
  std::size_t all = 1;
  for (const auto& element : reply.elements) all += count(element);
  return all;
}

struct Read {
  std::vector<RedisReply> replies;
  std::string written;  // the same
  bool broken = false;
};

Read read_replies(std::string_view bytes, Cuts cuts) {
  net::RedisReader reader;
  Read read;
  while (!bytes.empty() && !read.broken) {
    reader.feed(cuts.take(bytes));
    while (true) {
      auto reply = reader.next();
      if (!reply) read.broken = true;
      if (!reply || !*reply) break;
      write(**reply, read.written);
      read.replies.push_back(std::move(**reply));
    }
  }
  return read;
}

void check_slots(const RedisReply& reply) {
  const net::RedisAddress from{.host = "asked", .port = 1};
  for (const auto& range : net::parse_slot_ranges(reply, from)) {
    require(range.first <= range.last && range.last < net::kRedisSlots, "slots are in their range");
    require(!range.master.host.empty() && range.master.host != "?", "a master has a name");
  }
  const auto redirection = net::parse_redirection(reply.text, from);
  if (!redirection) return;
  require(redirection->slot < net::kRedisSlots && !redirection->to.host.empty(), "a redirection leads somewhere");
  const auto again = net::parse_redirection(fmt::format("{} {} {}:{}", redirection->ask ? "ASK" : "MOVED",
                                                        redirection->slot, redirection->to.host, redirection->to.port),
                                            from);
  require(again && again->to == redirection->to && again->slot == redirection->slot,
          "a redirection that is written is read");
}

void check_command(std::string_view words) {
  net::RedisCommand command;
  for (auto end = words.find(' '); end != std::string_view::npos; end = words.find(' ')) {
    command.emplace_back(words.substr(0, end));
    words.remove_prefix(end + 1);
  }
  command.emplace_back(words);
  std::string bytes;
  net::append_command(bytes, command);
  const Read read = read_replies(bytes, Cuts::none());
  require(read.replies.size() == 1 && read.replies[0].elements.size() == command.size(), "a command is one array");
  for (std::size_t i = 0; i < command.size(); ++i)
    require(read.replies[0].elements[i].text == command[i], "a command's words are its own");
}

void read_from_redis(std::string_view input) {
  const Cuts cuts(take_byte(input));
  const Read whole = read_replies(input, Cuts::none());
  const Read cut = read_replies(input, cuts);
  require(whole.broken == cut.broken && whole.written == cut.written, "cuts change nothing");
  const Read again = read_replies(whole.written, Cuts::none());
  require(again.written == whole.written && !again.broken, "replies that are written are read");
  std::size_t values = 0;
  for (const auto& reply : whole.replies) {
    values += count(reply);
    check_slots(reply);
  }
  require(values <= input.size(), "a reply's values have each cost a byte");
  require(net::redis_slot(input) < net::kRedisSlots, "a key has a slot");
  check_command(input);
}

}  // namespace

INFRA_FUZZ_TARGET(redis_reply, read_from_redis);

}  // namespace infra::fuzz
