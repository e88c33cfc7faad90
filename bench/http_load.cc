// A load generator for ./dev bench: one thread, N keep-alive connections, each with one request under way, for a while
// or until each request has been sent once. It knows no more HTTP than Infra's answers use (Content-Length,
// Server-Timing), so that it takes little of the cores it shares.
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
#include <optional>
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
  std::vector<double> beside_us;  // of a run, by the program's own clock: all but the handler
  std::map<int, std::int64_t> statuses;
  std::int64_t succeeded = 0;  // runs
  std::int64_t cold = 0;
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

// "Server-Timing: handler;dur=0.01, total;dur=0.2", in milliseconds. Nothing if the answer has no such part.
std::optional<double> timing(std::string_view head, std::string_view name) {
  const auto field = head.find("\r\nServer-Timing: ");
  if (field == std::string_view::npos) return std::nullopt;
  const auto line = head.substr(field, head.find("\r\n", field + 2) - field);
  const auto at = line.find(std::string(name) + ";dur=");
  if (at == std::string_view::npos) return std::nullopt;
  double milliseconds = 0;
  const char* digits = line.data() + at + name.size() + std::string_view(";dur=").size();
  if (std::from_chars(digits, line.data() + line.size(), milliseconds).ec != std::errc()) return std::nullopt;
  return milliseconds;
}

void count_run(std::string_view answer, Tally& tally) {
  if (answer.find(R"("status":"SUCCESS")") != std::string_view::npos) ++tally.succeeded;
  if (answer.find(R"("coldStart":true)") != std::string_view::npos) ++tally.cold;
  const auto head = answer.substr(0, answer.find("\r\n\r\n"));
  const auto total = timing(head, "total");
  const auto handler = timing(head, "handler");
  if (total && handler) tally.beside_us.push_back((*total - *handler) * 1000);
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
  count_run(std::string_view(connection.received).substr(0, length), tally);
  connection.received.erase(0, length);
  return true;
}

// What is sent next: one after the other, in rotation for a while, or each once.
class Requests {
 public:
  Requests(std::vector<std::string> all, double seconds)
      : all_(std::move(all)),
        once_(seconds <= 0),
        end_(Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds))) {}

  const std::string* next() {
    if (once_ ? sent_ == all_.size() : Clock::now() >= end_) return nullptr;
    return &all_[sent_++ % all_.size()];
  }

 private:
  std::vector<std::string> all_;
  bool once_;
  Clock::time_point end_;
  std::size_t sent_ = 0;
};

Tally run(std::uint16_t port, int connections, Requests requests) {
  const int poll = epoll_create1(EPOLL_CLOEXEC);
  std::vector<Connection> all(static_cast<std::size_t>(connections));
  int under_way = 0;
  for (auto& connection : all) {
    connection.fd = connect_to(port);
    epoll_event event{.events = EPOLLIN, .data = {.ptr = &connection}};
    if (epoll_ctl(poll, EPOLL_CTL_ADD, connection.fd, &event) != 0) give_up("epoll_ctl");
    if (const std::string* request = requests.next()) {
      send_request(connection, *request);
      ++under_way;
    }
  }
  Tally tally;
  while (under_way > 0) {
    epoll_event events[64];
    const int ready = epoll_wait(poll, events, std::size(events), 60'000);
    if (ready <= 0) give_up("no answer for a minute");
    for (int i = 0; i < ready; ++i) {
      auto& connection = *static_cast<Connection*>(events[i].data.ptr);
      if (!receive(connection, tally)) continue;
      if (const std::string* request = requests.next()) {
        send_request(connection, *request);
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

// One line of JSON on stdout. Each request comes from a file, as it goes over the wire.
int main(int argc, char** argv) {
  if (argc < 5) {
    std::fprintf(stderr, "usage: http_load PORT CONNECTIONS SECONDS FILE...   (0 seconds: each file once)\n");
    return 2;
  }
  std::vector<std::string> requests;
  for (int i = 4; i < argc; ++i) {
    std::ifstream file(argv[i], std::ios::binary);
    requests.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  const auto started = Clock::now();
  auto tally = run(static_cast<std::uint16_t>(std::strtoul(argv[1], nullptr, 10)),
                   static_cast<int>(std::strtol(argv[2], nullptr, 10)),
                   Requests(std::move(requests), std::strtod(argv[3], nullptr)));
  const std::chrono::duration<double> took = Clock::now() - started;
  std::ranges::sort(tally.latencies_us);
  std::ranges::sort(tally.beside_us);
  const auto count = static_cast<double>(tally.latencies_us.size());
  std::printf(R"({"requests":%.0f,"perSecond":%.0f,"p50us":%.0f,"p99us":%.0f,"maxUs":%.0f)", count,
              count / took.count(), percentile(tally.latencies_us, 0.5), percentile(tally.latencies_us, 0.99),
              tally.latencies_us.back());
  if (!tally.beside_us.empty()) {
    std::printf(R"(,"besideP50us":%.0f,"besideP99us":%.0f,"besideMaxUs":%.0f)", percentile(tally.beside_us, 0.5),
                percentile(tally.beside_us, 0.99), tally.beside_us.back());
  }
  std::printf(R"(,"succeeded":%lld,"cold":%lld,"statuses":{)", static_cast<long long>(tally.succeeded),
              static_cast<long long>(tally.cold));
  const char* comma = "";
  for (const auto& [status, times] : tally.statuses) {
    std::printf(R"(%s"%d":%lld)", comma, status, static_cast<long long>(times));
    comma = ",";
  }
  std::printf("}}\n");
}
