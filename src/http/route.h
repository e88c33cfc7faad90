// Routes as data: what a request must bring, and who answers it.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "core/api_key.h"
#include "core/error.h"
#include "core/task.h"
#include "http/context.h"

namespace infra::http {

// Authentication is a property of the route, on unless the route says otherwise.
enum class Access : std::uint8_t {
  key,
  open,
  health  // open, on connections of their own: balancers ask when there is room for nobody else
};
enum class Rate : std::uint8_t { free, limited };

// What a key that is for certain functions finds behind a route.
enum class Reach : std::uint8_t {
  platform,  // nothing: it tells of others too, or changes them
  function,  // the one in the path, if that is one of the key's
  caller     // what its handler gives it, which looks at the key
};

using RouteHandler = std::function<Task<Result<net::Response>>(Context&)>;

struct Route {
  std::string_view method;
  std::string_view pattern;  // segments; ":name" matches one, "*name" at the end all that are left
  Access access = Access::key;
  Rate rate = Rate::free;
  RouteHandler handler;
  Scope scope = Scope::admin;  // that a named key must have; the master key has all
  Reach reach = Reach::platform;
  std::string_view audited{};  // the action's name in the audit; empty: it changes nothing
};

class Router {
 public:
  explicit Router(std::vector<Route> routes) : routes_(std::move(routes)) {}
  // Fills the context's route, pattern, methods, params and prefix ("/api" is taken off). One slash at the path's end
  // is ignored. HEAD is answered by GET's route.
  void match(Context& context) const;

 private:
  std::vector<Route> routes_;
};

}  // namespace infra::http
