// Which server a key's command goes to. One plain server is all there is until a server says MOVED: from then on this
// is a cluster, whose map is kept by what redirections and CLUSTER SLOTS tell.
#pragma once

#include <boost/asio/io_context.hpp>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/mutex.h"
#include "core/task.h"
#include "core/time.h"
#include "net/redis/redis_node.h"
#include "net/redis/redis_slots.h"

namespace infra::net {

// Any thread. All connections live on one event loop.
class RedisRouter : public std::enable_shared_from_this<RedisRouter> {
 public:
  RedisRouter(boost::asio::io_context& home, RedisTarget seed);
  RedisRouter(const RedisRouter&) = delete;
  RedisRouter& operator=(const RedisRouter&) = delete;

  void start();
  void close();                          // for good; commands that wait fail
  [[nodiscard]] bool connected() const;  // to one server at least

  // For an empty key any server, a connected one if there is one.
  [[nodiscard]] std::shared_ptr<RedisNode> node_for(std::string_view key);
  // Connecting, if it was not known.
  [[nodiscard]] std::shared_ptr<RedisNode> node_at(const RedisAddress& address);
  void note_moved(const RedisRedirection& redirection);
  // In a cluster: asks the servers for the map anew, in the background.
  void relearn();

 private:
  [[nodiscard]] std::shared_ptr<RedisNode> any_node() const INFRA_REQUIRES(mutex_);
  [[nodiscard]] std::shared_ptr<RedisNode> find_or_add(const RedisAddress& address) INFRA_REQUIRES(mutex_);
  [[nodiscard]] std::vector<std::shared_ptr<RedisNode>> nodes_to_ask() const;
  Task<void> learn(std::shared_ptr<RedisRouter> self);
  void end_learning();
  void adopt(const std::vector<RedisSlotRange>& ranges);

  boost::asio::io_context& home_;
  const RedisTarget target_;
  const std::shared_ptr<RedisNode> seed_;

  mutable Mutex mutex_;
  std::map<RedisAddress, std::shared_ptr<RedisNode>> nodes_ INFRA_GUARDED_BY(mutex_);  // the seed too
  std::vector<std::shared_ptr<RedisNode>> slots_
      INFRA_GUARDED_BY(mutex_);  // empty: not a cluster. Null: its server is unknown
  bool learning_ INFRA_GUARDED_BY(mutex_) = false;
  bool closed_ INFRA_GUARDED_BY(mutex_) = false;
  SteadyTime learned_at_ INFRA_GUARDED_BY(mutex_){};
};

}  // namespace infra::net
