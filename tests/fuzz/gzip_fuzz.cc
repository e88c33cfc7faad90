// A body with Content-Encoding: gzip is what zlib makes of it at once, however it is cut; or it is refused, at the
// latest when it has cost more bytes than it may.
#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "core/error_codes.h"
#include "fuzz/target.h"
#include "net/http/content_encoding.h"
#include "support/piecewise_body.h"
#include "support/run_task.h"

namespace infra::fuzz {
namespace {

constexpr std::size_t kMostBytes = std::size_t{1} << 20;  // that are asked for, as by a handler with a bound

struct Inflated {
  std::string text;
  std::string error;  // its code; empty: all of it was read, or as much as was wanted
  bool operator==(const Inflated&) const = default;
};

Task<Inflated> read_all_of(net::BodyStream& body, Cuts room) {
  std::vector<char> span(4096);
  Inflated out;
  while (out.text.size() < kMostBytes) {
    const std::size_t wanted = std::min({room.next(), span.size(), kMostBytes - out.text.size()});
    const auto got = co_await body.read(std::span(span).first(wanted));
    if (!got) {
      out.error = got.error().code;
      co_return out;
    }
    require(*got <= wanted, "no more is given than is asked for");
    if (*got == 0) co_return out;
    out.text.append(span.data(), *got);
  }
  co_return out;
}

Inflated read_by_infra(std::string_view packed, Cuts pieces, Cuts room) {
  net::Headers headers;
  headers.add("Content-Encoding", "gzip");
  net::PiecewiseBody stream(packed, [&pieces] { return pieces.next(); });
  const auto body = net::decode_body(headers, stream);
  return run_task(read_all_of(*body, room));
}

// All members, one behind the other; nullopt if one is broken or not whole.
std::optional<std::string> read_by_zlib(std::string_view packed) {
  std::string text;
  while (!packed.empty()) {
    z_stream stream{};
    require(inflateInit2(&stream, 16 + MAX_WBITS) == Z_OK, "zlib begins");
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
    stream.avail_in = static_cast<uInt>(packed.size());
    int status = Z_OK;
    std::vector<char> room(64 * 1024);
    while (status == Z_OK && text.size() < kMostBytes) {
      stream.next_out = reinterpret_cast<Bytef*>(room.data());
      stream.avail_out = static_cast<uInt>(room.size());
      status = inflate(&stream, Z_NO_FLUSH);
      text.append(room.data(), room.size() - stream.avail_out);
    }
    const std::size_t used = packed.size() - stream.avail_in;
    inflateEnd(&stream);
    if (text.size() >= kMostBytes) return text.substr(0, kMostBytes);
    if (status != Z_STREAM_END) return std::nullopt;
    packed.remove_prefix(used);
  }
  return text;
}

void inflate_three_times(std::string_view input) {
  const Cuts pieces(take_byte(input));
  const Cuts room(take_byte(input) + 7U);
  const Inflated whole = read_by_infra(input, Cuts::none(), Cuts::none());
  const Inflated cut = read_by_infra(input, pieces, room);
  require(whole.error.empty() == cut.error.empty(), "cuts decide nothing");
  if (whole.error.empty()) require(whole.text == cut.text, "cuts change nothing");
  const auto expected = read_by_zlib(input);
  if (whole.error.empty()) {
    require(expected == whole.text, "what is read is what zlib reads");
  } else {
    require(whole.error == errors::invalid_content_encoding, "what is no gzip is said to be none");
    // Empty blocks and headers are not read for long.
    require(!expected || input.size() > 2 * whole.text.size() + std::size_t{64} * 1024, "what is gzip is read");
  }
}

}  // namespace

INFRA_FUZZ_TARGET(gzip, inflate_three_times);

}  // namespace infra::fuzz
