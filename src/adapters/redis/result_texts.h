// The texts of results, from Redis or the bucket. A long one is looked into on the pool: it would take an event thread
// too long.
#pragma once

#include <string>

#include "core/ids.h"
#include "net/redis/redis_client.h"
#include "ports/code_store.h"
#include "ports/executor.h"
#include "ports/result_bus.h"

namespace infra {

// A larger result is announced by its id, and stands in the bucket.
inline constexpr std::size_t kAnnouncedWhole = std::size_t{64} * 1024;

// A result's JSON for a client: what a reference worker wrote is completed, ours are passed on as they came.
struct ToldResult {
  std::string json{};  // empty if the text can't be read
  bool of_reference_worker = false;
};

// All are borrowed.
class ResultTexts {
 public:
  ResultTexts(net::RedisClient& redis, CodeStore& bucket, Executor& executor)
      : redis_(redis), bucket_(bucket), executor_(executor) {}

  // Wherever it stands; empty if Redis tells of none. `known` says whether it knows the id at all.
  Task<Result<std::string>> stored(RequestId id, bool& known);
  // Empty if the bucket has none.
  Task<Result<std::string>> kept(RequestId id);

  // Null of an empty text, or of one that can't be read.
  Task<SharedResult> parse(std::string text, RequestId id);
  Task<ToldResult> tell(std::string text, RequestId id);

 private:
  template <typename T>
  Task<T> look_into(std::string text, RequestId id, T (*look)(std::string text, const RequestId& id));

  net::RedisClient& redis_;
  CodeStore& bucket_;
  Executor& executor_;
};

}  // namespace infra
