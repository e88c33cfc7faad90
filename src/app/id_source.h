// Makes ids from the injected clock and randomness.
#pragma once

#include "core/ids.h"
#include "ports/clock.h"
#include "ports/random.h"

namespace infra::app {

class IdSource {
 public:
  IdSource(const Clock& clock, Random& random) : clock_(clock), random_(random) {}
  [[nodiscard]] RequestId request_id() { return {make()}; }
  [[nodiscard]] FunctionId function_id() { return {make()}; }

 private:
  std::string make() {
    UuidRandom bytes;
    random_.fill(bytes);
    return make_uuid_v7(clock_.now(), bytes);
  }

  const Clock& clock_;
  Random& random_;
};

}  // namespace infra::app
