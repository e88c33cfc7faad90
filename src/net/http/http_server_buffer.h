// The received bytes that a connection has not yet used up. It stays small while a connection is idle.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace infra::net {

class ReadBuffer {
 public:
  [[nodiscard]] std::string_view data() const { return {storage_.data() + begin_, end_ - begin_}; }
  [[nodiscard]] std::size_t size() const { return end_ - begin_; }
  [[nodiscard]] bool empty() const { return begin_ == end_; }

  void consume(std::size_t count) {
    begin_ += count;
    if (begin_ == end_) begin_ = end_ = 0;
  }

  // Room behind data(), so that the whole is at most `max_size` long; empty if it is that long already. Invalidates
  // data().
  [[nodiscard]] std::span<char> prepare(std::size_t max_size) {
    if (begin_ > 0) {
      std::memmove(storage_.data(), storage_.data() + begin_, size());
      end_ -= begin_;
      begin_ = 0;
    }
    if (end_ == storage_.size()) storage_.resize(std::max(end_, std::min(std::max(end_ * 2, kSmall), max_size)));
    return std::span(storage_).first(std::max(end_, std::min(storage_.size(), max_size))).subspan(end_);
  }
  void commit(std::size_t count) { end_ += count; }

  // Gives memory back that only a large header or body needed.
  void shrink() {
    if (empty() && storage_.size() > kSmall) storage_ = std::vector<char>(kSmall);
  }

 private:
  static constexpr std::size_t kSmall = 2048;

  std::vector<char> storage_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace infra::net
