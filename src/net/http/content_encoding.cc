#include "net/http/content_encoding.h"

#include <zlib.h>

#include <array>
#include <new>

#include "core/error_codes.h"
#include "core/text.h"

namespace infra::net {
namespace {

// Inflates to a thousand times its size at most, which is what one wait for the network may cost an event thread.
constexpr std::size_t kPieceBytes = 4 * 1024;
// What may come in beyond twice of what it was inflated to: headers, empty blocks.
constexpr std::uint64_t kIdleBytes = 64 * 1024;
constexpr int kGzipOnly = 16 + MAX_WBITS;

class GzipBody : public BodyStream {
 public:
  explicit GzipBody(BodyStream& packed) : packed_(packed) {
    if (inflateInit2(&stream_, kGzipOnly) != Z_OK) throw std::bad_alloc();
  }
  ~GzipBody() override { inflateEnd(&stream_); }
  GzipBody(const GzipBody&) = delete;
  GzipBody& operator=(const GzipBody&) = delete;

  Task<Result<std::size_t>> read(std::span<char> buffer) override {
    if (buffer.empty()) co_return 0;
    while (true) {
      if (stream_.avail_in == 0) {
        const auto got = co_await packed_.read(piece_);
        if (!got) co_return fail(got.error());
        if (*got == 0 && between_members_) co_return 0;
        if (*got == 0) co_return broken("it ends too early");
        taken_ += *got;
        if (taken_ > 2 * given_ + kIdleBytes) co_return broken("it holds next to nothing");
        stream_.next_in = reinterpret_cast<Bytef*>(piece_.data());
        stream_.avail_in = static_cast<uInt>(*got);
      }
      const auto inflated = inflate_into(buffer);
      if (!inflated || *inflated > 0) co_return inflated;
    }
  }

  [[nodiscard]] bool try_hold(std::uint64_t bytes) override { return packed_.try_hold(bytes); }
  Task<Result<void>> hold(std::uint64_t bytes) override { return packed_.hold(bytes); }
  [[nodiscard]] std::optional<std::uint64_t> content_length() const override { return std::nullopt; }

 private:
  static std::unexpected<Error> broken(std::string_view why) {
    return fail(errors::invalid_content_encoding,
                "The body is not the gzip that Content-Encoding says: " + std::string(why) + ".");
  }

  Result<std::size_t> inflate_into(std::span<char> buffer) {
    const auto room = static_cast<uInt>(std::min<std::size_t>(buffer.size(), 64 * 1024));
    stream_.next_out = reinterpret_cast<Bytef*>(buffer.data());
    stream_.avail_out = room;
    const int status = inflate(&stream_, Z_NO_FLUSH);
    between_members_ = status == Z_STREAM_END;
    if (between_members_) inflateReset(&stream_);  // another may follow (RFC 1952, 2.2)
    if (status != Z_STREAM_END && status != Z_OK && status != Z_BUF_ERROR)
      return broken(stream_.msg != nullptr ? stream_.msg : "it can't be inflated");
    const std::size_t count = room - stream_.avail_out;
    given_ += count;
    return count;
  }

  BodyStream& packed_;
  z_stream stream_{};
  std::array<char, kPieceBytes> piece_;
  bool between_members_ = true;  // or before the first
  std::uint64_t taken_ = 0;
  std::uint64_t given_ = 0;
};

class UnreadableBody : public BodyStream {
 public:
  explicit UnreadableBody(std::string_view encoding) : encoding_(replace_invalid_utf8(cut_utf8(encoding, 64))) {}

  Task<Result<std::size_t>> read(std::span<char>) override {
    co_return fail(errors::unsupported_content_encoding, "Content-Encoding: " + encoding_ +
                                                             " is not read; send the body as it is, or as " +
                                                             std::string(kAcceptedEncodings) + ".");
  }
  [[nodiscard]] std::optional<std::uint64_t> content_length() const override { return std::nullopt; }

 private:
  const std::string encoding_;
};

}  // namespace

std::unique_ptr<BodyStream> decode_body(const Headers& headers, BodyStream& body) {
  const auto given = headers.find("content-encoding");
  if (!given) return nullptr;
  const bool once = headers.count("content-encoding") == 1;
  const std::string encoding = ascii_lower(*given);
  if (once && (encoding.empty() || encoding == "identity")) return nullptr;
  if (once && (encoding == "gzip" || encoding == "x-gzip")) return std::make_unique<GzipBody>(body);
  return std::make_unique<UnreadableBody>(*given);
}

}  // namespace infra::net
