// The profile `local` that `infra dev` writes, so that the command line works at once for whoever started it.
#pragma once

#include <string>
#include <utility>

#include "main/identity.h"

namespace infra {

// The file is opened first, while the program still is who started it and sees their home, and written once it listens.
class DevProfile {
 public:
  // In the home of `user` (of --user), else of who called sudo, else of who started the program, and theirs. Where that
  // can't be, a warning says so and nothing is written.
  [[nodiscard]] static DevProfile open(const std::string& user, const Users& users);
  DevProfile(DevProfile&& other) noexcept : file_(std::exchange(other.file_, -1)) {}
  DevProfile& operator=(DevProfile&&) = delete;
  ~DevProfile();

  // `address`: that it listens on. `ca_file`: what its certificate is verified against; empty: it speaks HTTP. False if
  // there is no profile now.
  bool write(const std::string& address, std::uint16_t port, const std::string& key, const std::string& ca_file) const;

 private:
  explicit DevProfile(int file) : file_(file) {}

  int file_;  // -1: none
};

// Where a client on this machine finds a server that listens on `address`.
[[nodiscard]] std::string local_url(const std::string& address, std::uint16_t port, bool tls);

}  // namespace infra
