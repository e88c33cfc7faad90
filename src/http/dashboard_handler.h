// The dashboard's files, to whoever asks: they hold nothing secret. What they show they fetch, with the key that a
// person gave them.
#pragma once

#include <span>

#include "http/route.h"
#include "web/assets.h"

namespace infra::http {

class DashboardHandler {
 public:
  // Those may be none: then nobody is shown a page.
  explicit DashboardHandler(std::span<const web::Asset> assets) : assets_(assets) {}

  // Whether who asks is a browser that opens a page, and there is one.
  [[nodiscard]] bool is_wanted(const Context& context) const;
  Task<Result<net::Response>> page(Context& context);
  // GET /assets/:name
  Task<Result<net::Response>> asset(Context& context);

 private:
  [[nodiscard]] const web::Asset* find(std::string_view name) const;

  std::span<const web::Asset> assets_;
};

}  // namespace infra::http
