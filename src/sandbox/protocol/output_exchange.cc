#include "sandbox/protocol/output_exchange.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <type_traits>
#include <utility>

#include "core/limits.h"
#include "sandbox/protocol/output_folder.h"
#include "sandbox/system/message_socket.h"
#include "sandbox/system/system_error.h"

namespace infra::sandbox {
namespace {

using std::chrono::steady_clock;

constexpr std::uint32_t kMaxNamed = 100;  // of what is left out

struct OutputRequest {
  std::uint32_t version = 1;
};

// One for each entry, with a descriptor if it is kept; then one with `last`.
struct OutputMessage {
  std::uint32_t last = 0;
  std::uint32_t emptied = 0;  // of `last`
  std::uint32_t unnamed = 0;  // of `last`
  std::uint32_t left_out = 0;
  std::uint32_t name_size = 0;
  std::array<char, limits::kMaxOutputNameBytes> name{};
};

static_assert(std::is_trivially_copyable_v<OutputMessage>);

bool send_entry(int socket, const OutputEntry& entry) {
  OutputMessage message;
  message.left_out = static_cast<std::uint32_t>(entry.left_out);
  message.name_size = static_cast<std::uint32_t>(std::min(entry.name.size(), message.name.size()));
  std::copy_n(entry.name.begin(), message.name_size, message.name.begin());
  if (!entry.file.valid()) return send_message(socket, message);
  const std::array<int, 1> file{entry.file.get()};
  return send_message(socket, message, file);
}

OutputEntry entry_of(const OutputMessage& message, UniqueFd file, bool cut) {
  auto why = from_number<LeftOut>(message.left_out).value_or(LeftOut::unreadable);
  if (why == LeftOut::no && cut) why = LeftOut::no_descriptors;
  const std::size_t size = std::min<std::size_t>(message.name_size, message.name.size());
  return {.name = std::string(message.name.data(), size),
          .left_out = why == LeftOut::no && !file.valid() ? LeftOut::unreadable : why,
          .file = std::move(file)};
}

// `closed` also when `deadline` has passed.
Received wait_for_message(int socket, OutputMessage& message, PassedFds& fds, steady_clock::time_point deadline) {
  while (true) {
    const Received received = receive_message(socket, message, &fds, false);
    if (received != Received::nothing) return received;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - steady_clock::now()).count();
    pollfd readable{socket, POLLIN, 0};
    if (left <= 0 || ::poll(&readable, 1, static_cast<int>(left)) == 0) return Received::closed;
  }
}

// False if the answer did not come to its end.
bool ask(int socket, OutputTree& tree, steady_clock::time_point deadline) {
  if (!send_message(socket, OutputRequest{})) return false;
  while (true) {
    OutputMessage message;
    PassedFds fds;
    const Received received = wait_for_message(socket, message, fds, deadline);
    if (received == Received::closed) return false;
    if (message.last != 0) {
      tree.emptied = message.emptied != 0;
      tree.unnamed = message.unnamed;
      return true;
    }
    tree.entries.push_back(entry_of(message, std::move(fds[0]), received == Received::cut));
  }
}

}  // namespace

Result<OutputLine> open_output_line(const char* folder) {
  OutputLine line;
  // Opened twice, because a descriptor that is passed on shares its position.
  for (UniqueFd* opened : {&line.server.folder, &line.client.folder}) {
    opened->reset(::open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!opened->valid()) return system_failure("opening the folder for output files");
  }
  std::array<int, 2> ends{-1, -1};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) return system_failure("socketpair");
  line.server.requests.reset(ends[0]);
  line.client.requests.reset(ends[1]);
  return line;
}

void serve_output(OutputServer& server) {
  OutputRequest request;
  switch (receive_message(server.requests.get(), request, nullptr, false)) {
    case Received::nothing:
      return;
    case Received::closed:
    case Received::cut:  // a request brings no descriptors
      server.requests.reset();
      return;
    case Received::message:
      break;
  }
  std::uint32_t left_out = 0;
  bool sent = true;
  const bool emptied = take_entries(server.folder.get(), [&](const OutputEntry& entry) {
    if (entry.left_out != LeftOut::no && ++left_out > kMaxNamed) return;
    sent = send_entry(server.requests.get(), entry) && sent;
  });
  OutputMessage last;
  last.last = 1;
  last.emptied = emptied ? 1 : 0;
  last.unnamed = left_out > kMaxNamed ? left_out - kMaxNamed : 0;
  // An answer without its end counts as failed, which it has.
  if (!sent || !send_message(server.requests.get(), last)) server.requests.reset();
}

OutputTree request_output(const OutputClient& client, std::chrono::milliseconds patience) {
  OutputTree tree;
  if (!has_entries(client.folder.get())) return tree;
  if (!ask(client.requests.get(), tree, steady_clock::now() + patience)) {
    tree.emptied = false;
    tree.entries.push_back({.name = "", .left_out = LeftOut::out_of_reach, .file = UniqueFd()});
  }
  return tree;
}

}  // namespace infra::sandbox
