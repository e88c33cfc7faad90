#include "sandbox/client/spawner_connection.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <optional>
#include <utility>

#include "core/error_codes.h"
#include "sandbox/protocol/spawner_protocol.h"

namespace infra::sandbox {
namespace {

std::unexpected<Error> spawner_gone() {
  return fail(errors::sandbox_failed, "the spawner process has ended; infra must be restarted");
}

}  // namespace

void SandboxLife::end(const SandboxExit& exit, const SandboxUsage& usage) {
  const MutexLock lock(mutex_);
  exit_ = exit;
  usage_ = usage;
  ended_ = true;
  changed_.notify_all();
}

std::optional<SandboxExit> SandboxLife::wait(milliseconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  const MutexLock lock(mutex_);
  while (!ended_ && changed_.wait_until(mutex_, deadline)) {
  }
  if (!ended_) return std::nullopt;
  return exit_;
}

SandboxExit SandboxLife::wait() {
  const MutexLock lock(mutex_);
  while (!ended_) changed_.wait(mutex_);
  return exit_;
}

std::optional<SandboxUsage> SandboxLife::final_usage() {
  const MutexLock lock(mutex_);
  if (!ended_) return std::nullopt;
  return usage_;
}

SpawnerConnection::SpawnerConnection(SpawnerHandle spawner)
    : spawner_(std::move(spawner)), receiver_([this] { receive(); }) {}

SpawnerConnection::~SpawnerConnection() {
  ::shutdown(spawner_.socket.get(), SHUT_RDWR);
  receiver_.join();
  ::waitpid(spawner_.pid, nullptr, 0);
}

Result<SpawnerConnection::Reply> SpawnerConnection::ask(SpawnerRequest request) {
  std::future<Result<Reply>> reply;
  {
    const MutexLock lock(mutex_);
    if (!alive_) return spawner_gone();
    request.id = ++last_id_;
    reply = waiting_[request.id].get_future();
  }
  if (!send_message(spawner_.socket.get(), request))
    ::shutdown(spawner_.socket.get(), SHUT_RDWR);  // the receiver tells all
  return reply.get();
}

void SpawnerConnection::tell(const SpawnerRequest& request) {
  send_message(spawner_.socket.get(), request);
}

void SpawnerConnection::receive() {
  SpawnerEvent event;
  PassedFds fds;
  while (true) {
    const Received received = receive_message(spawner_.socket.get(), event, &fds);
    if (received != Received::message && received != Received::cut) break;
    take(event, std::exchange(fds, {}), received == Received::cut);
  }
  spawner_died();
}

void SpawnerConnection::take(const SpawnerEvent& event, PassedFds fds, bool cut) {
  if (event.kind == SpawnerEventKind::ended) return take_end(event);
  const MutexLock lock(mutex_);
  const auto waiter = waiting_.find(event.id);
  if (waiter == waiting_.end()) return;
  Reply reply{.event = event, .fds = std::move(fds), .cut = cut, .life = nullptr};
  if (event.kind == SpawnerEventKind::launched) {
    reply.life = std::make_shared<SandboxLife>();
    sandboxes_.emplace(event.sandbox, reply.life);
  }
  waiter->second.set_value(std::move(reply));
  waiting_.erase(waiter);
}

void SpawnerConnection::take_end(const SpawnerEvent& event) {
  std::shared_ptr<SandboxLife> life;
  {
    const MutexLock lock(mutex_);
    auto entry = sandboxes_.extract(event.sandbox);
    if (entry.empty()) return;
    life = std::move(entry.mapped());
  }
  life->end({.exited = event.exited != 0,
             .exit_code = event.exit_code,
             .signal = event.signal,
             .out_of_memory = event.out_of_memory != 0},
            {.cpu_us = event.cpu_us,
             .peak_memory_bytes = event.peak_memory_bytes,
             .network_rx = event.network_rx,
             .network_tx = event.network_tx});
}

void SpawnerConnection::spawner_died() {
  const MutexLock lock(mutex_);
  alive_ = false;
  for (auto& [id, promise] : waiting_) promise.set_value(spawner_gone());
  waiting_.clear();
  for (auto& [id, life] : sandboxes_) life->end({.exited = false, .exit_code = 0, .signal = SIGKILL}, {});
  sandboxes_.clear();
}

}  // namespace infra::sandbox
