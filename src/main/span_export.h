// Spans on their way to a collector: OTLP over HTTP in JSON, in batches, beside the requests that they tell of. A
// collector that is away costs spans, and nothing else.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "main/program.h"
#include "net/http/http_client.h"

namespace infra {

class SpanExport {
 public:
  // `program.config.otlp_endpoint` is set. `program` must outlive it, and so must the event threads.
  explicit SpanExport(Program& program);

  // Every second, from now on. Any thread.
  void start();
  // What waits leaves, within a second; after that none does. Any event thread.
  Task<void> finish();

 private:
  Task<void> export_on();
  Task<void> send_waiting(milliseconds timeout);
  Task<bool> send(milliseconds timeout);
  void tell(bool works);

  Program& program_;
  const std::unique_ptr<net::HttpClient> http_;
  const std::string url_;
  std::atomic<bool> stopping_ = false;
  std::atomic<bool> idle_ = true;
  // Of whoever has made it busy.
  std::shared_ptr<const std::vector<Span>> batch_;  // that did not leave yet; null: there is none
  int attempts_ = 0;                                // of this batch
  bool worked_ = true;
  std::uint64_t told_dropped_ = 0;
};

}  // namespace infra
