// /functions/:id/series: a function's runs over time.
#pragma once

#include "app/read_series.h"
#include "http/route.h"

namespace infra::http {

class SeriesHandler {
 public:
  explicit SeriesHandler(app::ReadSeries& series) : series_(series) {}

  Task<Result<net::Response>> get(Context& context);

 private:
  app::ReadSeries& series_;
};

}  // namespace infra::http
