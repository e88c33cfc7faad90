// GET /events: what happens, while it happens, as server-sent events. A key for certain functions hears of these alone,
// and of no workers; a stream ends with its key.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "app/event_feed.h"
#include "app/function_names.h"
#include "app/known_keys.h"
#include "http/route.h"
#include "ports/clock.h"

namespace infra::http {

struct StreamLimits {
  std::size_t streams = 64;    // of this program
  std::size_t of_address = 8;  // of them, one address's
};

class EventsHandler {
 public:
  // The workers as they are now, each as GET /workers shows it.
  using Workers = std::function<Task<Result<std::vector<std::string>>>()>;

  EventsHandler(app::EventFeed& feed, app::FunctionNames& names, app::KnownKeys& keys, Clock& clock, Workers workers,
                StreamLimits limits = {});

  Task<Result<net::Response>> listen(Context& context);

 private:
  class Places;
  class Stream;
  Task<Result<std::vector<FunctionId>>> read_functions(const Context& context);

  app::EventFeed& feed_;
  app::FunctionNames& names_;
  app::KnownKeys& keys_;
  Clock& clock_;
  const Workers workers_;
  const std::shared_ptr<Places> places_;
};

}  // namespace infra::http
