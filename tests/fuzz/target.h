// A fuzz target is a function of a stranger's bytes that ends the process where a promise about them is broken. In
// build/fuzz libFuzzer calls it, one program a target; in every other build corpus_test.cc does, with the inputs that
// were kept.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace infra::fuzz {

using Target = void (*)(std::string_view input);

// Ends the process as a crash does, which makes libFuzzer keep the input.
inline void require(bool holds, std::string_view promise) {
  if (holds) return;
  std::fprintf(stderr, "broken promise: %.*s\n", static_cast<int>(promise.size()), promise.data());
  std::abort();
}

// Takes a byte off the input's front; 0 if there is none.
inline std::uint8_t take_byte(std::string_view& input) {
  if (input.empty()) return 0;
  const auto byte = static_cast<std::uint8_t>(input.front());
  input.remove_prefix(1);
  return byte;
}

// Where the bytes of a stream are cut: sizes of pieces that follow from a seed, most of them small.
class Cuts {
 public:
  explicit Cuts(std::uint32_t seed) : state_(seed * 2654435761U + 1) {}
  static Cuts none() { return Cuts(); }

  std::size_t next() {
    if (whole_) return SIZE_MAX;
    state_ = state_ * 1664525U + 1013904223U;
    const std::uint32_t drawn = state_ >> 16;
    return (drawn & 3) != 0 ? 1 + (drawn >> 2) % 4 : 1 + (drawn >> 2) % 100;
  }
  // The next piece of `bytes`, taken off.
  std::string_view take(std::string_view& bytes) {
    const std::string_view piece = bytes.substr(0, next());
    bytes.remove_prefix(piece.size());
    return piece;
  }

 private:
  Cuts() : whole_(true) {}
  bool whole_ = false;
  std::uint32_t state_ = 0;
};

// Makes a target known to the test over the corpora.
struct Registered {
  Registered(const char* name, Target target);
};

}  // namespace infra::fuzz

#ifdef INFRA_FUZZER
#define INFRA_FUZZ_TARGET(name, function)                                                                     \
  extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {                         \
    function(size == 0 ? std::string_view("") : std::string_view(reinterpret_cast<const char*>(data), size)); \
    return 0;                                                                                                 \
  }                                                                                                           \
  static_assert(true)
#else
#define INFRA_FUZZ_TARGET(name, function) static const ::infra::fuzz::Registered registered_##name(#name, function)
#endif
