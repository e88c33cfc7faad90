// Listening and the life of the server as a whole; what happens on one connection is http_server_connection.cc's.
#include "net/http/beast_http_server.h"

#include <fmt/format.h>
#include <netinet/tcp.h>
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

constexpr int kBacklog = 4096;            // the kernel lowers it to net.core.somaxconn
constexpr milliseconds kAcceptPause{50};  // when descriptors or memory have run out
constexpr milliseconds kClosingPause{5};  // until connections that were told to close have closed
constexpr milliseconds kHurryInterval{500};
// What the kernel keeps of an answer that the client does not take.
constexpr int kUnsentBytes = 128 * 1024;
constexpr milliseconds kCloseCheck{20};  // whether the loops still run, while closing waits for them

// Set once, because accepted sockets begin with their listener's options: answers go out at once, and one that is not
// read costs the kernel little.
void set_options(Acceptor& acceptor) {
  ErrorCode ignored;
  acceptor.set_option(tcp::no_delay(true), ignored);
  (void)setsockopt(acceptor.native_handle(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &kUnsentBytes, sizeof(kUnsentBytes));
}

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

bool is_out_of_descriptors(const ErrorCode& error) {
  return error == boost::system::errc::too_many_files_open ||
         error == boost::system::errc::too_many_files_open_in_system;
}

Task<void> serve(std::shared_ptr<Connection> connection) {
  co_await connection->run();
}

}  // namespace

ServerShared::ServerShared(HttpServerOptions o, Handler h, ErrorHandler e)
    : options(std::move(o)),
      handler(std::move(h)),
      error_handler(std::move(e)),
      table(options.connections, options.on_closed,
            [overload = options.overload] {
              return overload != nullptr && overload->active(Action::replace_connections);
            }),
      bytes(
          options.body_bytes,
          [this](double pressure) {
            if (options.overload != nullptr) options.overload->report(Resource::buffered_bytes, pressure);
          },
          [this] { hurry(); }) {}

const Pace& ServerShared::pace(std::uint64_t held) const {
  const bool holds = held >= kMuchHeld;
  if (holds && bytes.is_short()) return options.hurried_pace;
  const Overload* const overload = options.overload;
  if (overload == nullptr || !overload->active(Action::close_slow)) return options.pace;
  const bool all = overload->is_cause(Resource::connections, Action::close_slow) ||
                   overload->is_cause(Resource::descriptors, Action::close_slow);
  return all || holds ? options.hurried_pace : options.pace;
}

void ServerShared::hurry() {
  const SteadyTime now = std::chrono::steady_clock::now();
  SteadyTime last = hurried_;
  if (now - last < kHurryInterval || !hurried_.compare_exchange_strong(last, now)) return;
  for (const auto& lane : lanes) {
    asio::post(lane->loop, [lane] {
      for (Connection* connection : lane->connections) connection->hurry();
    });
  }
}

struct BeastHttpServer::State : std::enable_shared_from_this<BeastHttpServer::State> {
  State(EventLoops& loops, HttpServerOptions options, Handler handler, ErrorHandler error_handler)
      : shared(std::make_shared<ServerShared>(std::move(options), std::move(handler), std::move(error_handler))),
        acceptor(loops.next()) {
    for (std::size_t i = 0; i < loops.size(); ++i) shared->lanes.push_back(std::make_shared<Lane>(loops.loop(i)));
  }

  void begin();
  static Task<void> accept(std::shared_ptr<State> self, OpenListener listener);
  void admit(ServerSocket socket, const tcp::endpoint& peer, const std::shared_ptr<Lane>& lane);
  // Each is ready when it has been done on its own thread, or when that thread ended without doing it.
  [[nodiscard]] static std::future<void> post_close(const std::shared_ptr<Lane>& lane, void (Connection::*end)());
  [[nodiscard]] std::future<void> post_stop_listening();
  [[nodiscard]] bool loops_have_ended() const { return shared->lanes.front()->loop.stopped(); }

  std::shared_ptr<ServerShared> shared;
  Acceptor acceptor;
  std::uint16_t port = 0;
};

void BeastHttpServer::State::begin() {
  ErrorCode error;
  port = acceptor.local_endpoint(error).port();
  acceptor.non_blocking(true, error);
  set_options(acceptor);
  // The event thread is woken by the first connection only: each instance has a server, which few functions speak to.
  acceptor.async_wait(Acceptor::wait_read, [self = shared_from_this(),
                                            listener = OpenListener(shared)](const ErrorCode& failure) mutable {
    if (failure == asio::error::operation_aborted) return;
    spawn_on(self->acceptor.get_executor().context(), "HTTP listener", accept(self, std::move(listener)));
  });
}

Task<void> BeastHttpServer::State::accept(std::shared_ptr<State> self, OpenListener /*listener*/) {
  asio::steady_timer pause(self->acceptor.get_executor());
  const auto& lanes = self->shared->lanes;
  for (std::size_t turn = 0; self->acceptor.is_open();) {
    if (self->shared->options.before_accept) co_await self->shared->options.before_accept();
    milliseconds wait = self->shared->table.may_accept() ? milliseconds(0) : kClosingPause;
    if (wait == milliseconds(0)) {
      const auto& lane = lanes[turn % lanes.size()];
      tcp::endpoint peer;
      auto [error, socket] =
          co_await self->acceptor.async_accept(lane->loop, peer, asio::as_tuple(asio::use_awaitable));
      if (!error) {
        try {
          self->admit(std::move(socket), peer, lane);
        } catch (...) {  // that client's, and nobody else's
          report_task_failure("HTTP connection", std::current_exception());
        }
        ++turn;
      } else if (error != asio::error::connection_aborted && error != asio::error::operation_aborted) {
        wait = kAcceptPause;
        if (is_out_of_descriptors(error) && self->shared->options.overload != nullptr)
          self->shared->options.overload->report(Resource::descriptors, 1);
      }
    }
    if (wait == milliseconds(0)) continue;
    pause.expires_after(wait);
    (void)co_await pause.async_wait(asio::as_tuple(asio::use_awaitable));
  }
}

void BeastHttpServer::State::admit(ServerSocket socket, const tcp::endpoint& peer, const std::shared_ptr<Lane>& lane) {
  ++shared->accepted;
  auto connection = std::make_shared<Connection>(shared, lane, std::move(socket), peer);
  connection->enter();
  spawn_on(lane->loop, "HTTP connection", serve(std::move(connection)));
}

std::future<void> BeastHttpServer::State::post_close(const std::shared_ptr<Lane>& lane, void (Connection::*end)()) {
  std::promise<void> done;
  std::future<void> future = done.get_future();
  asio::post(lane->loop, [lane, end, done = std::move(done)]() mutable {
    for (Connection* connection : lane->connections) (connection->*end)();
    done.set_value();
  });
  return future;
}

std::future<void> BeastHttpServer::State::post_stop_listening() {
  std::promise<void> done;
  std::future<void> future = done.get_future();
  asio::post(acceptor.get_executor(), [self = shared_from_this(), done = std::move(done)]() mutable {
    ErrorCode ignored;
    self->acceptor.close(ignored);
    done.set_value();
  });
  return future;
}

BeastHttpServer::BeastHttpServer(EventLoops& loops, HttpServerOptions options, Handler handler,
                                 ErrorHandler error_handler)
    : state_(std::make_shared<State>(loops, std::move(options), std::move(handler), std::move(error_handler))) {}

BeastHttpServer::~BeastHttpServer() {
  BeastHttpServer::close();
}

Result<void> BeastHttpServer::start() {
  if (Result<void> listening = listen(state_->acceptor, state_->shared->options); !listening) {
    ErrorCode ignored;
    state_->acceptor.close(ignored);
    return listening;
  }
  state_->begin();
  return {};
}

Result<void> BeastHttpServer::start_on(int listening_socket) {
  if (Result<void> adopted = adopt(state_->acceptor, listening_socket); !adopted) return adopted;
  state_->begin();
  return {};
}

std::uint16_t BeastHttpServer::port() const {
  return state_->port;
}

void BeastHttpServer::stop_accepting() {
  state_->shared->draining = true;
  (void)state_->post_stop_listening();
  for (const auto& lane : state_->shared->lanes) (void)State::post_close(lane, &Connection::close_if_idle);
}

Task<bool> BeastHttpServer::drained(SteadyTime deadline) {
  const std::shared_ptr<ServerShared> shared = state_->shared;
  if (shared->open == 0) co_return true;
  co_return co_await shared->all_closed->wait_until(deadline);
}

std::uint64_t BeastHttpServer::accepted() const {
  return state_->shared->accepted;
}

ConnectionTable::Count BeastHttpServer::connections() const {
  return state_->shared->table.count();
}

std::uint64_t BeastHttpServer::buffered_bytes() const {
  return state_->shared->bytes.used();
}

std::size_t BeastHttpServer::requests_in_flight() const {
  return state_->shared->requests_in_flight;
}

void BeastHttpServer::close() {
  state_->shared->draining = true;
  // Where the loops have ended their coroutines are gone, and posted work would never run.
  if (state_->loops_have_ended()) return;
  std::vector<std::future<void>> done;
  done.push_back(state_->post_stop_listening());
  for (const auto& lane : state_->shared->lanes) done.push_back(State::post_close(lane, &Connection::abort));
  for (const std::future<void>& one : done) {
    // The loops may stop meanwhile, with what was posted still in them.
    while (one.wait_for(kCloseCheck) != std::future_status::ready) {
      if (state_->loops_have_ended()) return;
    }
  }
}

}  // namespace infra::net
