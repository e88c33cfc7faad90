// A request's body that arrives in pieces.
#pragma once

#include <algorithm>
#include <cstring>
#include <functional>
#include <optional>
#include <string_view>
#include <utility>

#include "net/http/http_types.h"

namespace infra::net {

class PiecewiseBody : public BodyStream {
 public:
  // `next_size` names the size of each piece; `announced` is its Content-Length, if it has one.
  PiecewiseBody(std::string_view bytes, std::function<std::size_t()> next_size,
                std::optional<std::uint64_t> announced = std::nullopt)
      : rest_(bytes), next_size_(std::move(next_size)), announced_(announced) {}
  PiecewiseBody(std::string_view bytes, std::size_t piece)
      : PiecewiseBody(bytes, [piece] { return piece; }, bytes.size()) {}

  Task<Result<std::size_t>> read(std::span<char> buffer) override {
    const auto count = std::min({buffer.size(), rest_.size(), next_size_()});
    std::memcpy(buffer.data(), rest_.data(), count);
    rest_.remove_prefix(count);
    co_return count;
  }
  [[nodiscard]] std::optional<std::uint64_t> content_length() const override { return announced_; }
  [[nodiscard]] std::size_t left() const { return rest_.size(); }

 private:
  std::string_view rest_;
  std::function<std::size_t()> next_size_;
  std::optional<std::uint64_t> announced_;
};

}  // namespace infra::net
