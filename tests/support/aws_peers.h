// The AWS services of a test program: real servers on loopback (tests/peers), started at the first use and ended with
// the program. What is sent goes through a gate that recomputes every signature and refuses what is wrong.
#pragma once

#include <memory>
#include <string>

#include "core/time.h"

namespace infra::testing {

class AwsPeers {
 public:
  // Throws std::runtime_error, with the peers' own words, if they can't be started.
  static AwsPeers& shared();

  // The gate's, one for each service: what *_ENDPOINT would be set to.
  [[nodiscard]] const std::string& s3_endpoint() const;
  [[nodiscard]] const std::string& sqs_endpoint() const;
  [[nodiscard]] const std::string& dynamodb_endpoint() const;
  [[nodiscard]] const std::string& region() const;
  [[nodiscard]] const std::string& access_key_id() const;  // the one that the gate knows
  [[nodiscard]] const std::string& secret_access_key() const;

  // New and empty, under a name of its own.
  [[nodiscard]] std::string make_bucket();
  [[nodiscard]] std::string make_functions_table();
  [[nodiscard]] std::string make_logs_table();
  [[nodiscard]] std::string make_configuration_table();
  [[nodiscard]] std::string make_queue(bool fifo = false);  // its URL; visibility 30 s, no redrive

  // Moves the peers' clocks, so that a lease ends without waiting for it. Returns when they know.
  void advance(milliseconds step);

 private:
  AwsPeers();
  ~AwsPeers();
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace infra::testing
