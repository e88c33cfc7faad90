#include "worker/instances/keep_output.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "core/error_codes.h"
#include "core/json_text.h"
#include "core/limits.h"
#include "core/object_keys.h"
#include "core/operator_error_codes.h"
#include "core/text.h"
#include "telemetry/log.h"

namespace infra::worker {
namespace {

constexpr std::size_t kMaxNamed = 10;  // in the note

// What the call's own growth does not show: a hole takes no block in the sandbox, and all of its length in the store.
std::int64_t bytes_in_holes(int file, std::uint64_t size) {
  struct stat info{};
  if (::fstat(file, &info) != 0) return 0;
  constexpr std::int64_t kBlock = 512;  // of st_blocks, whatever the file system's are
  return std::max<std::int64_t>(0, static_cast<std::int64_t>(size) - std::int64_t{info.st_blocks} * kBlock);
}

std::uint64_t bytes_of(const std::vector<OutputFile>& files) {
  std::uint64_t bytes = 0;
  for (const auto& file : files) bytes += static_cast<std::uint64_t>(file.size_bytes);
  return bytes;
}

// `max_bytes` are those that the run may keep yet.
sandbox::LeftOut reason_of(const Error& error, std::uint64_t max_bytes) {
  if (error.code == errors::object_too_large) {
    return max_bytes < limits::kMaxOutputFileBytes ? sandbox::LeftOut::over_total : sandbox::LeftOut::too_large;
  }
  if (error.code == errors::file_unreadable) return sandbox::LeftOut::unreadable;
  return error.code == errors::storage_full ? sandbox::LeftOut::no_room : sandbox::LeftOut::not_stored;
}

Task<sandbox::LeftOut> keep_file(CodeStore& code, const sandbox::OutputEntry& entry, int attempt, JobResult& result) {
  if (!is_output_name(entry.name)) co_return sandbox::LeftOut::bad_name;
  const std::string key = output_key(result.function_id, result.request_id, entry.name, attempt);
  const std::uint64_t max_bytes =
      std::min(limits::kMaxOutputFileBytes, limits::kMaxOutputFilesBytes - bytes_of(result.output_files));
  const auto stored = co_await code.put_file(key, entry.file.get(), max_bytes);
  if (!stored) {
    const auto reason = reason_of(stored.error(), max_bytes);
    if (reason == sandbox::LeftOut::no_room || reason == sandbox::LeftOut::not_stored) {
      log::warn("an output file could not be stored",
                {{"requestId", result.request_id.value}, {"traceId", result.trace_id}, {"code", stored.error().code}});
    }
    co_return reason;
  }
  result.disk_write += bytes_in_holes(entry.file.get(), stored->size);
  result.output_files.push_back({.name = entry.name,
                                 .size_bytes = static_cast<std::int64_t>(stored->size),
                                 .key = key,
                                 .sha256 = stored->sha256});
  co_return sandbox::LeftOut::no;
}

std::string note_of(const std::vector<sandbox::OutputEntry>& left_out, std::size_t unnamed) {
  std::vector<std::string> parts;
  for (const auto& entry : left_out) {
    if (parts.size() == kMaxNamed) {
      ++unnamed;
      continue;
    }
    const std::string name = entry.name.empty() ? "/output" : json_quote(replace_invalid_utf8(entry.name));
    parts.push_back(fmt::format("{} {}", name, sandbox::in_words(entry.left_out)));
  }
  if (unnamed > 0) parts.push_back(fmt::format("{} more", unnamed));
  return fmt::format("[not kept as output files: {}]", fmt::join(parts, "; "));
}

}  // namespace

Task<void> keep_output(CodeStore& code, sandbox::OutputTree output, int attempt, JobResult& result) {
  std::vector<sandbox::OutputEntry> left_out;
  for (auto& entry : output.entries) {
    if (entry.left_out == sandbox::LeftOut::no) entry.left_out = co_await keep_file(code, entry, attempt, result);
    entry.file.reset();
    if (entry.left_out != sandbox::LeftOut::no) left_out.push_back(std::move(entry));
  }
  if (left_out.empty()) co_return;
  if (!result.err.empty() && result.err.back() != '\n') result.err += '\n';
  result.err += note_of(left_out, output.unnamed) + '\n';
}

}  // namespace infra::worker
