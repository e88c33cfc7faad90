// multipart/form-data (RFC 7578) read incrementally: a part's bytes are passed on as they arrive, never collected here.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/error.h"
#include "core/task.h"
#include "net/http/http_types.h"

namespace infra::net {

struct PartHeader {
  std::string name;                     // Content-Disposition's name
  std::optional<std::string> filename;  // present for a file (also filename*, RFC 5987, UTF-8)
  std::string content_type;
};

struct MultipartLimits {
  std::size_t max_parts = 32;
  std::size_t max_part_header_bytes = 8 * 1024;
  std::uint64_t max_total_bytes = 64 * 1024 * 1024;  // of the whole body, framing included
};

class MultipartReader {
 public:
  // `unsupported_media` if `content_type` is not multipart/form-data with a usable boundary.
  static Result<std::unique_ptr<MultipartReader>> create(std::string_view content_type, BodyStream& body,
                                                         MultipartLimits limits = {});
  ~MultipartReader();

  // The next part; nullopt after the last one (the epilogue is read to the body's end). What is left of the present
  // part is skipped. `invalid` (code invalid_multipart) if the framing is broken or the body ends before the closing
  // boundary.
  Task<Result<std::optional<PartHeader>>> next();
  // Bytes of the present part; 0 at its end. Any byte sequence may occur in a part, boundary look-alikes included.
  Task<Result<std::size_t>> read(std::span<char> buffer);
  // The rest of the present part as text, at most `max_bytes` (`too_large`, code field_too_large).
  Task<Result<std::string>> read_text(std::size_t max_bytes);

 private:
  struct State;
  explicit MultipartReader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace infra::net
