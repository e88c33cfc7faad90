#include "main/service_manager.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstddef>
#include <cstdlib>
#include <string>

#include "support/temp_folder.h"

namespace infra {
namespace {

// The other end: a socket at `path`, or at that name in the abstract namespace if it begins with '@'.
class Listener {
 public:
  explicit Listener(std::string path) : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, path.size());
    if (path.front() == '@') address.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), size), 0);
  }

  std::string heard() {
    std::array<char, 256> text{};
    const ssize_t got = ::recv(socket_.get(), text.data(), text.size(), 0);
    return got < 0 ? "" : std::string(text.data(), static_cast<std::size_t>(got));
  }

 private:
  Descriptor socket_;
};

void expect_it_is_told(Listener listener) {
  const auto manager = ServiceManager::connect();
  EXPECT_EQ(std::getenv("NOTIFY_SOCKET"), nullptr);
  EXPECT_EQ(listener.heard(), "");
  manager.ready("listening on port 8080");
  EXPECT_EQ(listener.heard(), "READY=1\nSTATUS=listening on port 8080\n");
  manager.stopping(std::chrono::seconds(45));
  EXPECT_EQ(listener.heard(), "STOPPING=1\nSTATUS=stopping\nEXTEND_TIMEOUT_USEC=45000000\n");
}

TEST(ServiceManager, IsToldThroughAPath) {
  const testing::TempFolder folder;
  expect_it_is_told(Listener(folder.path() / "notify"));
}

TEST(ServiceManager, IsToldThroughAnAbstractName) {
  const testing::TempFolder folder;
  expect_it_is_told(Listener("@" + folder.path().string()));
}

TEST(ServiceManager, NobodyIsToldWhereNobodyListens) {
  ::unsetenv("NOTIFY_SOCKET");
  ServiceManager::connect().ready("alone");
  for (const auto& name : {std::string(), std::string("@"), std::string("vsock:2:1234"), std::string("/nowhere/notify"),
                           "/" + std::string(200, 'x')}) {
    ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
    const auto manager = ServiceManager::connect();
    EXPECT_EQ(std::getenv("NOTIFY_SOCKET"), nullptr) << name;
    manager.ready("alone");
    manager.stopping(std::chrono::seconds(1));
  }
}

}  // namespace
}  // namespace infra
