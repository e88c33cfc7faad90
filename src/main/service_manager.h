// Tells systemd, or another supervisor that speaks sd_notify(3), that the program listens and that it stops.
#pragma once

#include <chrono>
#include <string_view>

#include "adapters/system/posix_file.h"

namespace infra {

class ServiceManager {
 public:
  // The one that NOTIFY_SOCKET names. The variable leaves the environment, so that nothing that is started later speaks
  // for the program. Before threads exist, and before the rights that the socket may ask for are given up.
  [[nodiscard]] static ServiceManager connect();

  // Each does nothing without a supervisor.
  void ready(std::string_view status) const;
  // `at_most`: until the program has ended.
  void stopping(std::chrono::seconds at_most) const;

 private:
  explicit ServiceManager(Descriptor socket) : socket_(std::move(socket)) {}
  void tell(std::string_view words) const;

  Descriptor socket_;
};

}  // namespace infra
