// The parts that every program has, whichever its command and its engines.
#pragma once

#include "adapters/aws/auth/small_file.h"
#include "adapters/files/data_folder.h"
#include "app/id_source.h"
#include "main/config.h"
#include "main/host_machine.h"
#include "main/network.h"
#include "net/http/tls.h"
#include "ports/clock.h"
#include "ports/executor.h"
#include "ports/random.h"
#include "telemetry/event_ring.h"
#include "telemetry/metrics.h"
#include "telemetry/overload.h"
#include "telemetry/spans.h"

namespace infra {

[[nodiscard]] inline UuidRandom random_seed(Random& random) {
  UuidRandom seed;
  random.fill(seed);
  return seed;
}

// Everything that is made over it refers to it, and ends before it does.
struct Program {
  const Config config;
  const DataFolder folder;
  ProgramNetwork& network;
  Executor& executor;
  Clock& clock;
  Random& random;
  const HostMachine machine = this_machine();
  int bound_socket = -1;  // the HTTP port's, from before privileges were given up; the door's from its opening on
  aws::OpenFile open_secret = aws::open_plainly;    // what secret_files() lists
  const std::shared_ptr<const net::TlsPort> tls{};  // null: the port speaks plain HTTP
  app::IdSource ids{clock, random};
  Metrics metrics{};
  Overload overload{[this] { return clock.steady_now(); }};
  Spans spans{!config.otlp_endpoint.empty()};
  EventRing events{random_seed(random), [this] { return clock.now(); }};
  log::Listener listener{
      [this](log::Level level, std::string_view said, log::Fields fields) { events.warned(level, said, fields); }};
};

}  // namespace infra
