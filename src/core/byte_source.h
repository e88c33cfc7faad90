// Bytes of a known number that are read as they are wanted: a stored file, part by part.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "core/error.h"
#include "core/task.h"

namespace infra {

// One reader at a time.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  [[nodiscard]] virtual std::uint64_t size() const = 0;
  // Fills the front of `buffer`; 0 at the end, which may come before size() where the file was cut meanwhile.
  virtual Task<Result<std::size_t>> read(std::span<char> buffer) = 0;
};

// Of bytes that are in memory already.
class TextSource final : public ByteSource {
 public:
  explicit TextSource(std::string text) : text_(std::move(text)) {}
  [[nodiscard]] std::uint64_t size() const override { return text_.size(); }
  Task<Result<std::size_t>> read(std::span<char> buffer) override {
    const std::size_t count = text_.copy(buffer.data(), buffer.size(), read_);
    read_ += count;
    co_return count;
  }

 private:
  const std::string text_;
  std::size_t read_ = 0;
};

using ByteSourcePtr = std::shared_ptr<ByteSource>;

}  // namespace infra
