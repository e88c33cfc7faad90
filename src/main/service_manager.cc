#include "main/service_manager.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstdlib>
#include <string>
#include <utility>

#include "telemetry/log.h"

namespace infra {
namespace {

// A path, or, with '@' in place of the zero byte, a name in the abstract namespace.
Descriptor connect_to(std::string_view name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const bool known = name.size() > 1 && (name.front() == '/' || name.front() == '@');
  if (!known || name.size() >= sizeof(address.sun_path)) return Descriptor();
  name.copy(address.sun_path, name.size());
  if (name.front() == '@') address.sun_path[0] = '\0';
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  Descriptor socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);  // the sockets API's own idiom
  if (!socket || ::connect(socket.get(), generic, size) != 0) return Descriptor();
  return socket;
}

}  // namespace

ServiceManager ServiceManager::connect() {
  const char* const value = std::getenv("NOTIFY_SOCKET");
  if (value == nullptr) return ServiceManager(Descriptor());
  const std::string name = value;
  ::unsetenv("NOTIFY_SOCKET");
  Descriptor socket = connect_to(name);
  if (!socket && !name.empty()) log::warn("NOTIFY_SOCKET is set, but nobody can be told there");
  return ServiceManager(std::move(socket));
}

void ServiceManager::tell(std::string_view words) const {
  if (!socket_) return;
  if (::send(socket_.get(), words.data(), words.size(), MSG_NOSIGNAL) < 0)
    log::warn("the service manager can't be told");
}

void ServiceManager::ready(std::string_view status) const {
  tell(fmt::format("READY=1\nSTATUS={}\n", status));
}

void ServiceManager::stopping(std::chrono::seconds at_most) const {
  tell(fmt::format("STOPPING=1\nSTATUS=stopping\nEXTEND_TIMEOUT_USEC={}\n",
                   std::chrono::duration_cast<std::chrono::microseconds>(at_most).count()));
}

}  // namespace infra
