// A multipart body reads the same in pieces as whole, whatever it holds, and what the reader keeps of it is bounded:
// the first two bytes choose the pieces and the reader's room, the rest is the body.
#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "fuzz/target.h"
#include "net/http/multipart_reader.h"
#include "support/piecewise_body.h"
#include "support/run_task.h"

namespace infra::fuzz {
namespace {

using net::MultipartReader;

constexpr net::MultipartLimits kLimits{.max_parts = 8, .max_part_header_bytes = 256, .max_total_bytes = 1U << 20};

// Everything the reader says about a body, as one text.
struct Transcript {
  std::string text;
  std::size_t parts = 0;
  std::size_t content_bytes = 0;
};

Task<Transcript> transcribe(MultipartReader& reader, std::size_t room) {
  std::vector<char> span(room);
  Transcript out;
  while (true) {
    auto header = co_await reader.next();
    if (!header) {
      out.text += "!" + header.error().code;
      co_return out;
    }
    if (!*header) co_return out;
    ++out.parts;
    const net::PartHeader& part = **header;
    // filename* may be longer than what it is written as by nothing: its escapes only get shorter.
    require(part.name.size() + part.content_type.size() <= kLimits.max_part_header_bytes, "a part's header is bounded");
    require(!part.name.empty(), "a part has a name");
    out.text += "<" + part.name + "|" + part.filename.value_or("-") + "|" + part.content_type + ">";
    while (true) {
      auto count = co_await reader.read(span);
      if (!count) {
        out.text += "!" + count.error().code;
        co_return out;
      }
      if (*count == 0) break;
      out.content_bytes += *count;
      out.text.append(span.data(), *count);
    }
  }
}

Transcript read_body(std::string_view body, std::size_t piece, std::size_t room) {
  net::PiecewiseBody stream(body, piece);
  auto reader = MultipartReader::create("multipart/form-data; boundary=b", stream, kLimits);
  return run_task(transcribe(**reader, room));
}

void read_cut_and_whole(std::string_view input) {
  const std::size_t piece = 1U + take_byte(input);
  const std::size_t room = 1U + take_byte(input);
  const Transcript whole = read_body(input, SIZE_MAX, 4096);
  require(whole.text == read_body(input, piece, room).text, "cuts change nothing");
  require(whole.parts <= kLimits.max_parts, "there are no more parts than may be");
  require(whole.content_bytes <= input.size(), "no byte is read twice");
}

}  // namespace

INFRA_FUZZ_TARGET(multipart, read_cut_and_whole);

}  // namespace infra::fuzz
