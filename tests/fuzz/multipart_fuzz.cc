// What the input's splitting may never change, and what no input may break: the first two bytes choose the piece and
// span sizes, the rest is the body, which must read the same in these pieces as whole.
#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "net/http/multipart_reader.h"
#include "support/piecewise_body.h"

namespace infra::net {
namespace {

// Everything the reader says about a body, as one text.
Task<void> transcribe(MultipartReader& reader, std::size_t span_bytes, std::string& out) {
  std::vector<char> span(span_bytes);
  while (true) {
    auto header = co_await reader.next();
    if (!header) {
      out += "!" + header.error().code;
      co_return;
    }
    if (!*header) co_return;
    out += "<" + (*header)->name + "|" + (*header)->filename.value_or("-") + "|" + (*header)->content_type + ">";
    while (true) {
      auto count = co_await reader.read(span);
      if (!count) {
        out += "!" + count.error().code;
        co_return;
      }
      if (*count == 0) break;
      out.append(span.data(), *count);
    }
  }
}

std::string read_body(std::string_view body, std::size_t piece, std::size_t span_bytes) {
  PiecewiseBody stream(body, piece);
  auto reader = MultipartReader::create("multipart/form-data; boundary=b", stream, {.max_part_header_bytes = 256});
  std::string out;
  boost::asio::io_context context(1);
  boost::asio::co_spawn(context, transcribe(**reader, span_bytes, out), boost::asio::detached);
  context.run();
  return out;
}

}  // namespace
}  // namespace infra::net

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view body(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::size_t piece = 1u + data[0];
  const std::size_t span = 1u + data[1];
  if (infra::net::read_body(body, piece, span) != infra::net::read_body(body, SIZE_MAX, 4096)) std::abort();
  return 0;
}
