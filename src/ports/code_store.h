// Code bundles and payloads too big for a message. Engines: files named by SHA-256, S3.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "core/byte_source.h"
#include "core/error.h"
#include "core/function.h"
#include "core/task.h"

namespace infra {

// What a file came to, as it was stored.
struct StoredFile {
  std::uint64_t size = 0;  // bytes, those in holes among them
  std::string sha256{};
};

// Every method may be called from any event thread, and fails with `unavailable` when the engine does not answer.
class CodeStore {
 public:
  virtual ~CodeStore() = default;

  // Takes the finished file at `staged` (moved or copied; the caller's name for it may be gone afterwards). Durable
  // when it returns; before that no reader sees any of it. Putting a bundle that is there already is no error.
  virtual Task<Result<void>> put_bundle(const CodeRef& code, const std::filesystem::path& staged) = 0;

  // A local file with the bundle, whole and verified against `code.sha256` where that is known. It stays readable at
  // least as long as a job that names this code is unfinished. `not_found`.
  virtual Task<Result<std::filesystem::path>> fetch_bundle(const CodeRef& code) = 0;

  // No function row names this code any more: it is removed once no unfinished job and no function needs it.
  virtual Task<Result<void>> retire_bundle(const CodeRef& code) = 0;

  // Small objects under a key of [A-Za-z0-9._/-] ("results/<id>.json"). put replaces.
  virtual Task<Result<void>> put_object(const std::string& key, std::string_view bytes) = 0;
  // An object out of an open file, which the caller keeps open until this returns: from its first byte to where it ends
  // when the reading gets there, for others may be writing to it. 64 KiB of it are in memory at a time, whatever its
  // size. What is told of it is true of the object, or there is none: `too_large` (code object_too_large) past
  // `max_bytes`, `internal` (code file_unreadable), `conflict` (code file_changed) where the engine reads twice.
  virtual Task<Result<StoredFile>> put_file(const std::string& key, int file, std::uint64_t max_bytes) = 0;
  virtual Task<Result<std::string>> get_object(const std::string& key) = 0;  // not_found
  // The same object, read as it is wanted. A read fails, or the end comes early, where the engine loses it meanwhile.
  virtual Task<Result<ByteSourcePtr>> open_object(const std::string& key) {
    auto bytes = co_await get_object(key);
    if (!bytes) co_return fail(std::move(bytes.error()));
    co_return std::make_shared<TextSource>(std::move(*bytes));
  }
  virtual Task<Result<void>> remove_object(const std::string& key) = 0;  // absent is no error
};

}  // namespace infra
