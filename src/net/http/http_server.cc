// Listening and the life of the server as a whole; what happens on one connection is http_server_connection.cc's.
#include "net/http/http_server.h"

#include <fmt/format.h>
#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <future>
#include <optional>
#include <utility>
#include <vector>

#include "core/operator_error_codes.h"
#include "net/http/http_server_connection.h"
#include "net/http/listening_socket.h"
#include "telemetry/task_failures.h"

namespace infra::net {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;
using ErrorCode = boost::system::error_code;
using Acceptor = asio::basic_socket_acceptor<tcp, asio::io_context::executor_type>;

namespace {

constexpr int kBacklog = 4096;  // the kernel lowers it to net.core.somaxconn
constexpr std::size_t kMaxRefusing = 128;
constexpr milliseconds kAcceptPause{50};  // when descriptors or memory have run out
constexpr milliseconds kCloseCheck{20};   // whether the loops still run, while closing waits for them

Result<void> adopt(Acceptor& acceptor, int listening_socket) {
  const auto refuse = [&](const std::string& reason) {
    ::close(listening_socket);
    return fail(errors::listen_failed, fmt::format("The socket handed over can't be listened on: {}.", reason));
  };
  sockaddr_storage name{};
  socklen_t length = sizeof(name);
  if (getsockname(listening_socket, reinterpret_cast<sockaddr*>(&name), &length) != 0) {
    return refuse(ErrorCode(errno, boost::system::system_category()).message());
  }
  if (name.ss_family != AF_INET && name.ss_family != AF_INET6) return refuse("it is not TCP");
  ErrorCode error;
  acceptor.assign(name.ss_family == AF_INET6 ? tcp::v6() : tcp::v4(), listening_socket, error);
  if (error) return refuse(error.message());
  return {};
}

Result<void> listen(Acceptor& acceptor, const HttpServerOptions& options) {
  const auto bound =
      options.bound_socket >= 0 ? Result<int>(options.bound_socket) : bind_listener(options.address, options.port);
  if (!bound) return fail(bound.error());
  if (Result<void> adopted = adopt(acceptor, *bound); !adopted) return adopted;
  ErrorCode error;
  acceptor.listen(kBacklog, error);
  if (error) return fail(listen_error(options.address, options.port, error));
  return {};
}

// Counts the listener among what is open, however the accepting ends.
class OpenListener {
 public:
  explicit OpenListener(std::shared_ptr<ServerShared> server) : server_(std::move(server)) { ++server_->open; }
  OpenListener(OpenListener&& other) = default;
  ~OpenListener() {
    if (server_ != nullptr) server_->release_open();
  }
  OpenListener(const OpenListener&) = delete;
  OpenListener& operator=(const OpenListener&) = delete;
  OpenListener& operator=(OpenListener&&) = delete;

 private:
  std::shared_ptr<ServerShared> server_;
};

Task<void> serve(std::shared_ptr<Connection> connection) {
  co_await connection->run();
}

}  // namespace

struct HttpServer::State : std::enable_shared_from_this<HttpServer::State> {
  struct LoopLane {
    asio::io_context& loop;
    std::shared_ptr<Lane> connections = std::make_shared<Lane>();
  };

  State(EventLoops& loops, HttpServerOptions options, Handler handler, ErrorHandler error_handler)
      : shared(std::make_shared<ServerShared>()), acceptor(loops.next()) {
    shared->options = std::move(options);
    shared->handler = std::move(handler);
    shared->error_handler = std::move(error_handler);
    for (std::size_t i = 0; i < loops.size(); ++i) lanes.push_back(LoopLane{.loop = loops.loop(i)});
  }

  void begin();
  static Task<void> accept(std::shared_ptr<State> self, OpenListener listener);
  void admit(ServerSocket socket, const LoopLane& lane);
  // Each is ready when it has been done on its own thread, or when that thread ended without doing it.
  [[nodiscard]] static std::future<void> post_close(const LoopLane& lane, void (Connection::*end)());
  [[nodiscard]] std::future<void> post_stop_listening();

  std::shared_ptr<ServerShared> shared;
  std::vector<LoopLane> lanes;
  Acceptor acceptor;
  std::uint16_t port = 0;
};

void HttpServer::State::begin() {
  ErrorCode error;
  port = acceptor.local_endpoint(error).port();
  acceptor.non_blocking(true, error);
  spawn_on(acceptor.get_executor().context(), "HTTP listener", accept(shared_from_this(), OpenListener(shared)));
}

Task<void> HttpServer::State::accept(std::shared_ptr<State> self, OpenListener /*listener*/) {
  asio::steady_timer pause(self->acceptor.get_executor());
  for (std::size_t turn = 0; self->acceptor.is_open(); ++turn) {
    const LoopLane& lane = self->lanes[turn % self->lanes.size()];
    auto [error, socket] = co_await self->acceptor.async_accept(lane.loop, asio::as_tuple(asio::use_awaitable));
    if (!error) {
      try {
        self->admit(std::move(socket), lane);
      } catch (...) {  // that client's, and nobody else's
        report_task_failure("HTTP connection", std::current_exception());
      }
    } else if (error != asio::error::connection_aborted && error != asio::error::operation_aborted) {
      pause.expires_after(kAcceptPause);
      (void)co_await pause.async_wait(asio::as_tuple(asio::use_awaitable));
    }
  }
}

void HttpServer::State::admit(ServerSocket socket, const LoopLane& lane) {
  ++shared->accepted;
  const bool room = shared->served < shared->options.max_connections;
  if (!room && shared->refusing >= kMaxRefusing) return;  // closes it
  auto connection = std::make_shared<Connection>(shared, lane.connections, std::move(socket),
                                                 room ? Admission::served : Admission::refused);
  spawn_on(lane.loop, "HTTP connection", serve(std::move(connection)));
}

std::future<void> HttpServer::State::post_close(const LoopLane& lane, void (Connection::*end)()) {
  std::promise<void> done;
  std::future<void> future = done.get_future();
  asio::post(lane.loop, [connections = lane.connections, end, done = std::move(done)]() mutable {
    for (Connection* connection : *connections) (connection->*end)();
    done.set_value();
  });
  return future;
}

std::future<void> HttpServer::State::post_stop_listening() {
  std::promise<void> done;
  std::future<void> future = done.get_future();
  asio::post(acceptor.get_executor(), [self = shared_from_this(), done = std::move(done)]() mutable {
    ErrorCode ignored;
    self->acceptor.close(ignored);
    done.set_value();
  });
  return future;
}

HttpServer::HttpServer(EventLoops& loops, HttpServerOptions options, Handler handler, ErrorHandler error_handler)
    : state_(std::make_shared<State>(loops, std::move(options), std::move(handler), std::move(error_handler))) {}

HttpServer::~HttpServer() {
  close();
}

Result<void> HttpServer::start() {
  if (Result<void> listening = listen(state_->acceptor, state_->shared->options); !listening) {
    ErrorCode ignored;
    state_->acceptor.close(ignored);
    return listening;
  }
  state_->begin();
  return {};
}

Result<void> HttpServer::start_on(int listening_socket) {
  if (Result<void> adopted = adopt(state_->acceptor, listening_socket); !adopted) return adopted;
  state_->begin();
  return {};
}

std::uint16_t HttpServer::port() const {
  return state_->port;
}

void HttpServer::stop_accepting() {
  state_->shared->draining = true;
  (void)state_->post_stop_listening();
  for (const State::LoopLane& lane : state_->lanes) (void)State::post_close(lane, &Connection::close_if_idle);
}

Task<bool> HttpServer::drained(SteadyTime deadline) {
  const std::shared_ptr<ServerShared> shared = state_->shared;
  if (shared->open == 0) co_return true;
  co_return co_await shared->all_closed->wait_until(deadline);
}

std::uint64_t HttpServer::accepted() const {
  return state_->shared->accepted;
}

std::size_t HttpServer::requests_in_flight() const {
  return state_->shared->requests_in_flight;
}

void HttpServer::close() {
  state_->shared->draining = true;
  // Where the loops have ended their coroutines are gone, and posted work would never run.
  if (state_->lanes.front().loop.stopped()) return;
  std::vector<std::future<void>> done;
  done.push_back(state_->post_stop_listening());
  for (const State::LoopLane& lane : state_->lanes) done.push_back(State::post_close(lane, &Connection::abort));
  for (const std::future<void>& one : done) {
    // The loops may stop meanwhile, with what was posted still in them.
    while (one.wait_for(kCloseCheck) != std::future_status::ready) {
      if (state_->lanes.front().loop.stopped()) return;
    }
  }
}

}  // namespace infra::net
