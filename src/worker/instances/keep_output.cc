#include "worker/instances/keep_output.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "core/error_codes.h"
#include "core/json_text.h"
#include "core/limits.h"
#include "core/object_keys.h"
#include "core/sha256.h"
#include "core/text.h"
#include "telemetry/log.h"

namespace infra::worker {
namespace {

constexpr std::size_t kMaxNamed = 10;  // in the note

// All that is there now, however large the file was when it was opened: the call's other threads may still write.
sandbox::LeftOut read_file(int file, std::uint64_t kept_before, std::string& bytes) {
  constexpr std::size_t kChunk = 256 * 1024;
  while (true) {
    const std::size_t before = bytes.size();
    bytes.resize(before + kChunk);
    const ssize_t count = ::pread(file, bytes.data() + before, kChunk, static_cast<off_t>(before));
    bytes.resize(before + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return sandbox::LeftOut::unreadable;
    if (bytes.size() > limits::kMaxOutputFileBytes) return sandbox::LeftOut::too_large;
    if (kept_before + bytes.size() > limits::kMaxOutputFilesBytes) return sandbox::LeftOut::over_total;
    if (count == 0) return sandbox::LeftOut::no;
  }
}

// What the call's own growth does not show: a hole takes no block in the sandbox, and all of its length in the store.
std::int64_t bytes_in_holes(int file, std::size_t size) {
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

Task<sandbox::LeftOut> keep_file(CodeStore& code, Executor& executor, const sandbox::OutputEntry& entry, int attempt,
                                 JobResult& result) {
  if (!is_output_name(entry.name)) co_return sandbox::LeftOut::bad_name;
  std::string bytes;
  std::string sha256;
  std::int64_t in_holes = 0;
  sandbox::LeftOut left_out = sandbox::LeftOut::no;
  co_await executor.offload([&, kept_before = bytes_of(result.output_files)] {
    left_out = read_file(entry.file.get(), kept_before, bytes);
    if (left_out != sandbox::LeftOut::no) return;
    sha256 = sha256_of(bytes);
    in_holes = bytes_in_holes(entry.file.get(), bytes.size());
  });
  if (left_out != sandbox::LeftOut::no) co_return left_out;
  const std::string key = output_key(result.function_id, result.request_id, entry.name, attempt);
  const auto put = co_await code.put_object(key, bytes);
  if (!put) {
    log::warn("an output file could not be stored",
              {{"requestId", result.request_id.value}, {"code", put.error().code}});
    co_return put.error().code == errors::storage_full ? sandbox::LeftOut::no_room : sandbox::LeftOut::not_stored;
  }
  result.disk_write += in_holes;
  result.output_files.push_back({.name = entry.name,
                                 .size_bytes = static_cast<std::int64_t>(bytes.size()),
                                 .key = key,
                                 .sha256 = std::move(sha256)});
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

Task<void> keep_output(CodeStore& code, Executor& executor, sandbox::OutputTree output, int attempt,
                       JobResult& result) {
  std::vector<sandbox::OutputEntry> left_out;
  for (auto& entry : output.entries) {
    if (entry.left_out == sandbox::LeftOut::no)
      entry.left_out = co_await keep_file(code, executor, entry, attempt, result);
    entry.file.reset();
    if (entry.left_out != sandbox::LeftOut::no) left_out.push_back(std::move(entry));
  }
  if (left_out.empty()) co_return;
  if (!result.err.empty() && result.err.back() != '\n') result.err += '\n';
  result.err += note_of(left_out, output.unnamed) + '\n';
}

}  // namespace infra::worker
