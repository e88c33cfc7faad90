#include "net/http/multipart_reader.h"

#include <algorithm>
#include <cstring>

#include "core/error_codes.h"
#include "core/text.h"
#include "net/http/header_parameters.h"

namespace infra::net {
namespace {

constexpr std::string_view kBlank = " \t";

constexpr std::size_t kBufferBytes = 64 * 1024;
constexpr std::size_t kMaxBoundaryBytes = 70;  // RFC 2046, 5.1.1
// Blanks that a gateway may have put behind a boundary (RFC 2046's transport padding). A line with more is content.
constexpr std::size_t kMaxPaddingBytes = 128;

std::unexpected<Error> broken(std::string message) {
  return fail(errors::invalid_multipart, std::move(message));
}

bool is_boundary(std::string_view text) {
  constexpr std::string_view kAllowed =
      "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'()+_,-./:=? ";  // RFC 2046, bchars
  return !text.empty() && text.size() <= kMaxBoundaryBytes && text.back() != ' ' &&
         text.find_first_not_of(kAllowed) == std::string_view::npos;
}

enum class LineEnd : std::uint8_t { need_more, content, part, close };

struct Tail {
  LineEnd kind;
  std::size_t bytes = 0;  // of the boundary's line behind the boundary
};

// What the bytes behind "\r\n--boundary" make of it. Only a whole line is a delimiter: a longer one that starts like it
// is content.
Tail classify_tail(std::string_view text, bool at_eof) {
  const Tail unfinished{at_eof ? LineEnd::content : LineEnd::need_more};
  const bool closes = text.starts_with("--");
  if (!closes && text.size() < 2 && (text.empty() || text == "-")) return unfinished;
  const std::size_t start = closes ? 2 : 0;
  const auto end = text.find_first_not_of(" \t", start);
  const std::size_t padding = std::min(end, text.size()) - start;
  if (padding > kMaxPaddingBytes) return {LineEnd::content};
  if (end == std::string_view::npos) return closes && at_eof ? Tail{LineEnd::close, text.size()} : unfinished;
  const auto rest = text.substr(end, 2);
  if (rest == "\r") return unfinished;
  if (rest != "\r\n") return {LineEnd::content};
  return {closes ? LineEnd::close : LineEnd::part, end + 2};
}

// The header block's lines as name and value, folded lines joined. Nullopt if a line is none.
std::optional<Headers> parse_header_lines(std::string_view block) {
  std::vector<Header> lines;
  while (!block.empty()) {
    const auto end = block.find("\r\n");
    const auto line = block.substr(0, end);
    block.remove_prefix(end == std::string_view::npos ? block.size() : end + 2);
    if (line.find_first_of(std::string_view("\0\r\n", 3)) != std::string_view::npos) return std::nullopt;
    if (line.starts_with(' ') || line.starts_with('\t')) {
      if (lines.empty()) return std::nullopt;
      lines.back().second.append(1, ' ').append(trim(line, kBlank));
      continue;
    }
    const auto colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0 ||
        line.substr(0, colon).find_first_of(" \t\"") != std::string_view::npos) {
      return std::nullopt;
    }
    lines.emplace_back(line.substr(0, colon), trim(line.substr(colon + 1), kBlank));
  }
  Headers headers;
  for (auto& [name, value] : lines) headers.add(std::move(name), std::move(value));
  return headers;
}

Result<PartHeader> parse_part_header(std::string_view block) {
  const auto headers = parse_header_lines(block);
  if (!headers) return broken("A part of the multipart body has a malformed header line.");
  if (headers->count("Content-Disposition") != 1) {
    return broken("Each part of the multipart body needs one Content-Disposition header.");
  }
  const auto disposition = parse_parameterized(*headers->find("Content-Disposition"));
  if (!disposition || disposition->value != "form-data") {
    return broken("A part's Content-Disposition must read form-data; name=\"...\".");
  }
  PartHeader part;
  const auto* name = disposition->find("name");
  if (name == nullptr || name->empty()) return broken("A part of the multipart body has no name.");
  part.name = *name;
  if (const auto* filename = disposition->find("filename")) part.filename = *filename;
  if (const auto* extended = disposition->find("filename*")) {
    part.filename = decode_extended_value(*extended);
    if (!part.filename) return broken("A part's filename* must read UTF-8''percent-encoded-name.");
  }
  part.content_type = headers->find("Content-Type").value_or("");
  return part;
}

}  // namespace

// The buffer's bytes are in three stretches: [begin_, searched_) is content that may be handed out, [searched_, end_)
// may hold the start of a delimiter. A part's content starts right behind a CRLF that belongs to the delimiter if the
// content is empty, so at first searched_ is two bytes before begin_. The preamble is skipped as if it were a part,
// behind a CRLF of our own.
struct MultipartReader::State {
  State(std::string_view boundary, BodyStream& body, const MultipartLimits& limits)
      : body_(body),
        limits_(limits),
        delimiter_("\r\n--" + std::string(boundary)),
        buffer_(std::max(kBufferBytes, 2 * limits.max_part_header_bytes)) {
    buffer_[0] = '\r';
    buffer_[1] = '\n';
    begin_ = end_ = 2;
  }

  Task<Result<std::optional<PartHeader>>> next() {
    while (!part_ended_) {
      if (auto found = co_await find_content(); !found) co_return fail(found.error());
      begin_ = std::max(begin_, searched_);
    }
    if (closed_) {
      if (auto drained = co_await drain(); !drained) co_return fail(drained.error());
      co_return std::nullopt;
    }
    if (++parts_ > limits_.max_parts) {
      co_return remember(fail(errors::too_many_parts,
                              "The multipart body has more than " + std::to_string(limits_.max_parts) + " parts."));
    }
    auto size = co_await find_header_end();
    if (!size) co_return fail(size.error());
    auto header = parse_part_header({buffer_.data() + begin_, *size});
    if (!header) co_return remember(fail(header.error()));
    begin_ += *size == 0 ? 2 : *size + 4;
    searched_ = begin_ - 2;
    part_ended_ = false;
    co_return std::optional(std::move(*header));
  }

  Task<Result<std::size_t>> read(std::span<char> out) {
    if (parts_ == 0 || out.empty()) co_return std::size_t{0};
    if (available() == 0) {
      if (part_ended_) co_return std::size_t{0};
      if (auto found = co_await find_content(); !found) co_return fail(found.error());
    }
    const auto count = std::min(out.size(), available());
    std::memcpy(out.data(), buffer_.data() + begin_, count);
    begin_ += count;
    co_return count;
  }

 private:
  [[nodiscard]] std::size_t available() const { return searched_ > begin_ ? searched_ - begin_ : 0; }

  // A body that failed once stays failed: its place in the framing is lost.
  std::unexpected<Error> remember(std::unexpected<Error> error) {
    failure_ = error.error();
    return error;
  }

  // Until there is content to hand out or the part has ended.
  Task<Result<void>> find_content() {
    while (available() == 0 && !part_ended_) {
      if (failure_) co_return fail(*failure_);
      if (!search() && available() == 0 && !part_ended_) {
        if (at_eof_) co_return remember(broken("The multipart body ends before its closing boundary."));
        if (auto filled = co_await fill(); !filled) co_return fail(filled.error());
      }
    }
    co_return Result<void>{};
  }

  // Moves searched_ on over what is surely content, or ends the part. False if it takes more bytes to get further.
  bool search() {
    const char* const from = buffer_.data() + searched_;
    const auto* const hit =
        static_cast<const char*>(::memmem(from, end_ - searched_, delimiter_.data(), delimiter_.size()));
    if (hit == nullptr) {
      searched_ = partial_delimiter();
      return false;
    }
    const auto at = static_cast<std::size_t>(hit - buffer_.data());
    const auto behind = at + delimiter_.size();
    const auto tail = classify_tail({buffer_.data() + behind, end_ - behind}, at_eof_);
    if (tail.kind == LineEnd::content) {
      searched_ = behind;
      return true;
    }
    searched_ = at;
    if (tail.kind == LineEnd::need_more) return false;
    if (available() > 0) return true;
    begin_ = searched_ = behind + tail.bytes;
    part_ended_ = true;
    closed_ = tail.kind == LineEnd::close;
    return true;
  }

  // Where at the buffer's end a delimiter may have begun; end_ if none has. Its CR occurs nowhere else in it.
  [[nodiscard]] std::size_t partial_delimiter() const {
    const auto length = std::min(end_ - searched_, delimiter_.size() - 1);
    const auto* const last = buffer_.data() + end_ - length;
    const auto* const cr = static_cast<const char*>(::memrchr(last, '\r', length));
    if (cr == nullptr) return end_;
    const auto at = static_cast<std::size_t>(cr - buffer_.data());
    return delimiter_.starts_with(std::string_view(cr, end_ - at)) ? at : end_;
  }

  // The length of the header block at begin_, without the blank line; 0 if that comes at once.
  Task<Result<std::size_t>> find_header_end() {
    std::size_t scanned = 0;
    while (true) {
      if (failure_) co_return fail(*failure_);
      const std::string_view seen(buffer_.data() + begin_, end_ - begin_);
      if (seen.starts_with("\r\n")) co_return std::size_t{0};
      const auto end = seen.find("\r\n\r\n", scanned);
      scanned = seen.size() < 3 ? 0 : seen.size() - 3;  // where an end that has not come whole begins at the earliest
      if (std::min(end, scanned) > limits_.max_part_header_bytes) {
        co_return remember(
            fail(errors::part_header_too_large,
                 "The headers of a part are larger than " + std::to_string(limits_.max_part_header_bytes) + " bytes."));
      }
      if (end != std::string_view::npos) co_return end;
      if (at_eof_) co_return remember(broken("The multipart body ends inside a part's headers."));
      searched_ = begin_;
      if (auto filled = co_await fill(); !filled) co_return fail(filled.error());
    }
  }

  // The epilogue means nothing, but has to be read before the connection can be used again.
  Task<Result<void>> drain() {
    while (!at_eof_) {
      if (failure_) co_return fail(*failure_);
      begin_ = searched_ = end_;
      if (auto filled = co_await fill(); !filled) co_return fail(filled.error());
    }
    co_return Result<void>{};
  }

  Task<Result<void>> fill() {
    const auto keep = std::min(begin_, searched_);
    if (keep == end_ || end_ > buffer_.size() / 2) {
      std::memmove(buffer_.data(), buffer_.data() + keep, end_ - keep);
      begin_ -= keep;
      searched_ -= keep;
      end_ -= keep;
    }
    auto count = co_await body_.read(std::span(buffer_).subspan(end_));
    if (!count) co_return remember(fail(std::move(count.error())));
    at_eof_ = *count == 0;
    end_ += *count;
    total_ += *count;
    if (total_ > limits_.max_total_bytes) {
      co_return remember(fail(errors::body_too_large, "The request body is larger than " +
                                                          std::to_string(limits_.max_total_bytes) + " bytes."));
    }
    co_return Result<void>{};
  }

  BodyStream& body_;
  const MultipartLimits limits_;
  const std::string delimiter_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0;
  std::size_t searched_ = 0;
  std::size_t end_ = 0;
  std::uint64_t total_ = 0;
  std::size_t parts_ = 0;
  bool part_ended_ = false;
  bool closed_ = false;
  bool at_eof_ = false;
  std::optional<Error> failure_;
};

Result<std::unique_ptr<MultipartReader>> MultipartReader::create(std::string_view content_type, BodyStream& body,
                                                                 MultipartLimits limits) {
  const auto type = parse_parameterized(content_type);
  if (!type || type->value != "multipart/form-data") {
    return fail(errors::unsupported_media_type, "The body must be multipart/form-data.");
  }
  const auto* boundary = type->find("boundary");
  if (boundary == nullptr || !is_boundary(*boundary)) {
    return fail(errors::unsupported_media_type,
                "The Content-Type multipart/form-data needs a boundary of 1 to 70 characters (RFC 2046).");
  }
  return std::unique_ptr<MultipartReader>(new MultipartReader(std::make_unique<State>(*boundary, body, limits)));
}

MultipartReader::MultipartReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
MultipartReader::~MultipartReader() = default;

Task<Result<std::optional<PartHeader>>> MultipartReader::next() {
  return state_->next();
}

Task<Result<std::size_t>> MultipartReader::read(std::span<char> buffer) {
  return state_->read(buffer);
}

Task<Result<std::string>> MultipartReader::read_text(std::size_t max_bytes) {
  std::string text;
  std::array<char, 4096> piece;
  while (true) {
    auto count = co_await state_->read(piece);
    if (!count) co_return fail(std::move(count.error()));
    if (*count == 0) co_return text;
    if (text.size() + *count > max_bytes) {
      co_return fail(errors::field_too_large,
                     "A field of the form is larger than " + std::to_string(max_bytes) + " bytes.");
    }
    text.append(piece.data(), *count);
  }
}

}  // namespace infra::net
