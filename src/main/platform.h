// One command's whole program, from its first listening socket to its graceful end.
#pragma once

#include <cstdint>
#include <string>

#include "core/error.h"

namespace infra {

class Platform {
 public:
  virtual ~Platform() = default;

  // Listens on `address` and starts to work; gives the port. The error is a sentence for the operator.
  virtual Result<std::uint16_t> start(const std::string& address) = 0;

  // Stops gracefully within the configured time: new connections are refused, requests in flight are answered, what
  // can't be finished is settled or given back. Call it from the main thread, once, after start().
  virtual void shut_down() = 0;
};

}  // namespace infra
