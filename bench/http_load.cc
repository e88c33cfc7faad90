// A load generator for ./dev bench: one thread, N keep-alive connections, each with one request under way, for a while.
// It knows no more HTTP than Infra's answers use (Content-Length), so that it takes little of the cores it shares.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

struct Connection {
  int fd = -1;
  std::string received;
  Clock::time_point sent;
};

struct Tally {
  std::vector<double> latencies_us;
  std::map<int, std::int64_t> statuses;
};

[[noreturn]] void give_up(const char* what) {
  std::perror(what);
  std::exit(1);
}

int connect_to(std::uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0 || connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) give_up("connect");
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

void send_request(Connection& connection, std::string_view request) {
  connection.sent = Clock::now();
  while (!request.empty()) {
    const auto written = send(connection.fd, request.data(), request.size(), MSG_NOSIGNAL);
    if (written <= 0) give_up("send");
    request.remove_prefix(static_cast<std::size_t>(written));
  }
}

// The length of the answer at the front of `text` with its body; 0 while it is not complete.
std::size_t answer_length(std::string_view text) {
  constexpr std::string_view kLength = "\r\nContent-Length: ";
  const auto head = text.find("\r\n\r\n");
  if (head == std::string_view::npos) return 0;
  const auto field = text.find(kLength);
  std::size_t body = 0;
  if (field < head) {
    const char* digits = text.data() + field + kLength.size();
    std::from_chars(digits, text.data() + head, body);
  }
  const std::size_t whole = head + 4 + body;
  return text.size() >= whole ? whole : 0;
}

int status_of(std::string_view answer) {
  int status = 0;
  constexpr std::size_t kAt = std::string_view("HTTP/1.1 ").size();
  std::from_chars(answer.data() + kAt, answer.data() + kAt + 3, status);
  return status;
}

// True once the answer is complete and counted.
bool receive(Connection& connection, Tally& tally) {
  char buffer[65536];
  const auto got = recv(connection.fd, buffer, sizeof buffer, 0);
  if (got <= 0) give_up("the server closed a connection");
  connection.received.append(buffer, static_cast<std::size_t>(got));
  const auto length = answer_length(connection.received);
  if (length == 0) return false;
  const std::chrono::duration<double, std::micro> took = Clock::now() - connection.sent;
  tally.latencies_us.push_back(took.count());
  ++tally.statuses[status_of(connection.received)];
  connection.received.erase(0, length);
  return true;
}

Tally run(std::uint16_t port, int connections, double seconds, std::string_view request) {
  const int poll = epoll_create1(EPOLL_CLOEXEC);
  std::vector<Connection> all(static_cast<std::size_t>(connections));
  for (auto& connection : all) {
    connection.fd = connect_to(port);
    epoll_event event{.events = EPOLLIN, .data = {.ptr = &connection}};
    if (epoll_ctl(poll, EPOLL_CTL_ADD, connection.fd, &event) != 0) give_up("epoll_ctl");
    send_request(connection, request);
  }
  Tally tally;
  const auto end = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  int under_way = connections;
  while (under_way > 0) {
    epoll_event events[64];
    const int ready = epoll_wait(poll, events, std::size(events), 60'000);
    if (ready <= 0) give_up("no answer for a minute");
    for (int i = 0; i < ready; ++i) {
      auto& connection = *static_cast<Connection*>(events[i].data.ptr);
      if (!receive(connection, tally)) continue;
      if (Clock::now() < end) {
        send_request(connection, request);
      } else {
        --under_way;
      }
    }
  }
  for (const auto& connection : all) close(connection.fd);
  close(poll);
  return tally;
}

double percentile(const std::vector<double>& sorted, double part) {
  return sorted[static_cast<std::size_t>(part * static_cast<double>(sorted.size() - 1))];
}

}  // namespace

// One line of JSON on stdout. The request comes from a file, as it goes over the wire.
int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: http_load PORT CONNECTIONS SECONDS FILE\n");
    return 2;
  }
  std::ifstream file(argv[4], std::ios::binary);
  const std::string request{std::istreambuf_iterator<char>(file), {}};
  const auto started = Clock::now();
  auto tally = run(static_cast<std::uint16_t>(std::strtoul(argv[1], nullptr, 10)),
                   static_cast<int>(std::strtol(argv[2], nullptr, 10)), std::strtod(argv[3], nullptr), request);
  const std::chrono::duration<double> took = Clock::now() - started;
  std::ranges::sort(tally.latencies_us);
  const auto count = static_cast<double>(tally.latencies_us.size());
  std::printf(R"({"requests":%.0f,"perSecond":%.0f,"p50us":%.0f,"p99us":%.0f,"maxUs":%.0f,"statuses":{)", count,
              count / took.count(), percentile(tally.latencies_us, 0.5), percentile(tally.latencies_us, 0.99),
              tally.latencies_us.back());
  const char* comma = "";
  for (const auto& [status, times] : tally.statuses) {
    std::printf(R"(%s"%d":%lld)", comma, status, static_cast<long long>(times));
    comma = ",";
  }
  std::printf("}}\n");
}
