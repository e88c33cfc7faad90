// Rows with something in every field, for the contract suites of the stores that keep them.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "core/function.h"
#include "core/job_result.h"

namespace infra {

inline Function make_function(const std::string& id, WallTime uploaded_at) {
  Function f;
  f.id = {id};
  f.name = "Wörter zählen";
  f.description = "line one\nline \"two\"";
  f.original_name = "words.zip";
  f.runtime = Runtime::go;
  f.memory_mb = 256;
  f.timeout = milliseconds{4321};
  f.env = {{"EMPTY", ""}, {"TOKEN", "a=b\n\"c\""}};
  f.network = Network::egress;
  f.keep_warm = 2;
  f.max_concurrency = 30;
  f.code = {"functions/" + id + "/1.zip", std::string(64, '0')};
  f.uploaded_at = f.updated_at = uploaded_at;
  return f;
}

inline void expect_same_settings(const Function& a, const Function& b) {
  EXPECT_EQ(a.id, b.id);
  EXPECT_EQ(a.name, b.name);
  EXPECT_EQ(a.description, b.description);
  EXPECT_EQ(a.original_name, b.original_name);
  EXPECT_EQ(a.runtime, b.runtime);
  EXPECT_EQ(a.memory_mb, b.memory_mb);
  EXPECT_EQ(a.timeout, b.timeout);
  EXPECT_EQ(a.env, b.env);
  EXPECT_EQ(a.network, b.network);
  EXPECT_EQ(a.keep_warm, b.keep_warm);
  EXPECT_EQ(a.max_concurrency, b.max_concurrency);
  EXPECT_EQ(a.code, b.code);
  EXPECT_EQ(a.version, b.version);
  EXPECT_EQ(a.uploaded_at, b.uploaded_at);
  EXPECT_EQ(a.updated_at, b.updated_at);
}

inline LogRow make_log(const std::string& request, WallTime at, WallTime expires_at) {
  LogRow row;
  row.function_id = {"f"};
  row.request_id = {request};
  row.timestamp = log_timestamp(row.request_id, at);
  row.status = RunStatus::failed;
  row.duration_ms = 12.5;
  row.handler_ms = 3.25;
  row.memory_mb = 9;
  row.allocated_memory_mb = 128;
  row.profile = {.peak_memory_bytes = 9'437'184, .cpu_usage_us = 2100, .cold_start = true};
  row.error_code = "handler_error";
  row.message = "Zeile eins\nTraceback: \"x\"";
  row.expires_at = expires_at;
  row.output_attempt = 2;
  row.trace_id = "0af7651916cd43dd8448eb211c80319c";
  return row;
}

}  // namespace infra
