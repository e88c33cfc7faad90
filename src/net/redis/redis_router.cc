#include "net/redis/redis_router.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <set>
#include <utility>

#include "net/loops/event_loops.h"
#include "net/redis/redis_wire.h"

namespace infra::net {

namespace asio = boost::asio;

namespace {

constexpr milliseconds kLearnInterval{200};
// A server without slots may still be where a migrating slot's keys are asked for.
constexpr std::chrono::minutes kForgetAfter{1};

SteadyTime now() {
  return std::chrono::steady_clock::now();
}

}  // namespace

RedisRouter::RedisRouter(asio::io_context& home, RedisTarget seed)
    : home_(home), target_(std::move(seed)), seed_(std::make_shared<RedisNode>(home, target_)) {
  nodes_.emplace(target_.address, seed_);
}

void RedisRouter::start() {
  seed_->start();
}

void RedisRouter::close() {
  const MutexLock lock(mutex_);
  closed_ = true;
  for (const auto& [address, node] : nodes_) node->close();
}

bool RedisRouter::connected() const {
  if (seed_->connected()) return true;
  const MutexLock lock(mutex_);
  return std::ranges::any_of(nodes_, [](const auto& entry) { return entry.second->connected(); });
}

std::shared_ptr<RedisNode> RedisRouter::node_for(std::string_view key) {
  const MutexLock lock(mutex_);
  if (slots_.empty() || key.empty()) return any_node();
  const auto& node = slots_[redis_slot(key)];
  return node ? node : any_node();
}

std::shared_ptr<RedisNode> RedisRouter::any_node() const {
  if (seed_->connected()) return seed_;
  const auto found = std::ranges::find_if(nodes_, [](const auto& entry) { return entry.second->connected(); });
  return found == nodes_.end() ? seed_ : found->second;
}

std::shared_ptr<RedisNode> RedisRouter::node_at(const RedisAddress& address) {
  const MutexLock lock(mutex_);
  return find_or_add(address);
}

std::shared_ptr<RedisNode> RedisRouter::find_or_add(const RedisAddress& address) {
  auto& node = nodes_[address];
  if (!node) {
    RedisTarget target = target_;
    target.address = address;
    // Clusters name their servers by address, certificates rather by name: the name that we were given counts, too.
    target.tls_names.push_back(address.host);
    node = std::make_shared<RedisNode>(home_, std::move(target));
    node->start();
    if (closed_) node->close();
  }
  return node;
}

void RedisRouter::note_moved(const RedisRedirection& redirection) {
  {
    const MutexLock lock(mutex_);
    slots_.resize(kRedisSlots);
    slots_[redirection.slot] = find_or_add(redirection.to);
  }
  relearn();
}

void RedisRouter::relearn() {
  {
    const MutexLock lock(mutex_);
    if (slots_.empty() || learning_ || closed_ || now() - learned_at_ < kLearnInterval) return;
    learning_ = true;
  }
  const auto give_up = [self = shared_from_this()] { self->end_learning(); };
  spawn_on(home_, {"learning the cluster", give_up}, learn(shared_from_this()));
}

std::vector<std::shared_ptr<RedisNode>> RedisRouter::nodes_to_ask() const {
  const MutexLock lock(mutex_);
  std::vector<std::shared_ptr<RedisNode>> nodes;
  for (const auto& [address, node] : nodes_) nodes.push_back(node);
  std::ranges::partition(nodes, [](const auto& node) { return node->connected(); });
  return nodes;
}

Task<void> RedisRouter::learn(std::shared_ptr<RedisRouter> self) {  // holds the router while it runs
  std::string text;
  append_command(text, {"CLUSTER", "SLOTS"});
  const auto bytes = std::make_shared<const std::string>(std::move(text));
  for (const auto& node : nodes_to_ask()) {
    const auto reply = co_await node->run({.bytes = bytes, .deadline = now() + target_.options.command_timeout});
    if (!reply) continue;
    const auto ranges = parse_slot_ranges(*reply, node->address());
    if (ranges.empty()) continue;
    adopt(ranges);
    break;
  }
  end_learning();
}

void RedisRouter::end_learning() {
  const MutexLock lock(mutex_);
  learning_ = false;
  learned_at_ = now();
}

void RedisRouter::adopt(const std::vector<RedisSlotRange>& ranges) {
  const MutexLock lock(mutex_);
  std::vector<std::shared_ptr<RedisNode>> slots(kRedisSlots);
  std::set<RedisAddress> masters;
  for (const RedisSlotRange& range : ranges) {
    const auto node = find_or_add(range.master);
    std::fill(slots.begin() + range.first, slots.begin() + range.last + 1, node);
    masters.insert(range.master);
  }
  slots_ = std::move(slots);
  std::erase_if(nodes_, [&](const auto& entry) {
    const auto& [address, node] = entry;
    const bool is_left =
        node != seed_ && !masters.contains(address) && (!node->connected() || node->idle_time() > kForgetAfter);
    if (is_left) node->close();
    return is_left;
  });
}

}  // namespace infra::net
