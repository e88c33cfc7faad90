// The machine's own clock, for tests in which a process or a thread is on the other side.
#pragma once

#include "adapters/system/system_clock.h"

namespace infra {

using RealClock = SystemClock;

}  // namespace infra
