#include <cstdio>
#include <infra.hpp>
#include <string>

std::string handler(const std::string& event, const infra::Context& context) {
  std::printf("run %s has %lld ms left\n", context.request_id.c_str(),
              static_cast<long long>(context.remaining_time_ms()));
  return "{\"greeting\":\"Hello from C++!\",\"youSaid\":" + event + "}";
}
INFRA_HANDLER(handler)
