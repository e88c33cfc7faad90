// SHA-256 of bytes that come piece by piece: what code bundles are known by.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace infra {

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  void add(std::span<const char> bytes);
  [[nodiscard]] std::string finish();  // 64 lower-case hex digits; the last call

 private:
  struct State;
  std::unique_ptr<State> state_;
};

[[nodiscard]] std::string sha256_of(std::string_view bytes);

// 64 lower-case hex digits?
[[nodiscard]] bool is_sha256(std::string_view text);

}  // namespace infra
