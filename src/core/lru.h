// A map that keeps what was used last.
#pragma once

#include <cstddef>
#include <list>
#include <unordered_map>
#include <utility>

namespace infra {

// Of at most `capacity` entries: the longest unused goes when another is to come in. One thread at a time.
template <typename Key, typename Value>
class Lru {
 public:
  using Entries = std::list<std::pair<const Key, Value>>;  // most recently used first

  explicit Lru(std::size_t capacity) : capacity_(capacity) {}

  // Null if there is none. use() counts as a use of it, peek() does not. Both stay valid until the entry goes.
  [[nodiscard]] Value* use(const Key& key) {
    const auto found = by_key_.find(key);
    if (found == by_key_.end()) return nullptr;
    entries_.splice(entries_.begin(), entries_, found->second);
    return &found->second->second;
  }
  [[nodiscard]] Value* peek(const Key& key) {
    const auto found = by_key_.find(key);
    return found == by_key_.end() ? nullptr : &found->second->second;
  }

  // The entry of this key, or a new one that `make()` gives; either way it is used.
  template <typename Make>
  Value& use_or_make(const Key& key, Make make) {
    if (Value* const known = use(key)) return *known;
    entries_.emplace_front(key, make());
    by_key_.emplace(key, entries_.begin());
    if (entries_.size() > capacity_) erase_oldest();
    return entries_.front().second;
  }

  void erase(const Key& key) {
    const auto found = by_key_.find(key);
    if (found == by_key_.end()) return;
    entries_.erase(found->second);
    by_key_.erase(found);
  }
  void erase_oldest() {
    by_key_.erase(entries_.back().first);
    entries_.pop_back();
  }

  [[nodiscard]] bool empty() const { return entries_.empty(); }
  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] const Value& oldest() const { return entries_.back().second; }
  [[nodiscard]] auto begin() { return entries_.begin(); }
  [[nodiscard]] auto end() { return entries_.end(); }

 private:
  const std::size_t capacity_;
  Entries entries_;
  std::unordered_map<Key, typename Entries::iterator> by_key_;
};

}  // namespace infra
