#include "sandbox/client/sandbox_launcher.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "core/error_codes.h"
#include "sandbox/client/disk_activity.h"
#include "sandbox/client/host_addresses.h"
#include "sandbox/client/spawner_connection.h"
#include "sandbox/protocol/output_exchange.h"
#include "sandbox/protocol/output_folder.h"
#include "sandbox/protocol/spawner_protocol.h"
#include "sandbox/protocol/state_probe.h"
#include "sandbox/protocol/version_hash.h"
#include "telemetry/log.h"

namespace infra::sandbox {
namespace {

constexpr std::size_t kDiskProbe = 2;  // of the usage's

std::span<UniqueFd, kUsageProbes> usage_probes(SpawnerConnection::Reply& reply, bool without_disk) {
  const auto probes = std::span(reply.fds).last<kUsageProbes>();
  if (without_disk) probes[kDiskProbe].reset();
  return probes;
}

class SpawnedSandbox final : public Sandbox {
 public:
  SpawnedSandbox(std::shared_ptr<SpawnerConnection> connection, std::shared_ptr<const DiskActivity> disks,
                 SpawnerConnection::Reply reply)
      : connection_(std::move(connection)),
        disks_(reply.event.asks_disk != 0 ? std::move(disks) : nullptr),
        disks_seen_(disks_ ? disks_->bytes_read() : std::nullopt),
        life_(std::move(reply.life)),
        id_(reply.event.sandbox),
        probe_(std::span(reply.fds).subspan<kStreamFds, kProbes>(), reply.event.has_init != 0),
        usage_(usage_probes(reply, disks_ != nullptr),
               {.cpu_us = reply.event.cpu_us, .disk_read_bytes = reply.event.disk_read_bytes}) {
    handles_ = {.control = reply.fds[0].release(),
                .stdout_pipe = reply.fds[1].release(),
                .stderr_pipe = reply.fds[2].release(),
                .ai_listener = reply.fds[3].release(),
                .ai_port = static_cast<std::uint16_t>(reply.event.ai_port)};
    output_ = {.folder = std::move(reply.fds[4]), .requests = std::move(reply.fds[5])};
  }
  ~SpawnedSandbox() override {
    wait(milliseconds(0));
    // Into owners again: what was taken over is -1 by now.
    for (const int fd : {handles_.control, handles_.stdout_pipe, handles_.stderr_pipe, handles_.ai_listener})
      UniqueFd{fd};
  }
  SpawnedSandbox(const SpawnedSandbox&) = delete;
  SpawnedSandbox& operator=(const SpawnedSandbox&) = delete;

  SandboxHandles& handles() override { return handles_; }
  void kill() override { tell(SpawnerOp::kill); }

  SandboxExit wait(milliseconds patience) override {
    if (auto ended = life_->wait(patience)) return *ended;
    kill();
    return life_->wait();
  }

  SandboxUsage usage() override {
    if (auto ended = life_->final_usage()) return *ended;
    auto used = usage_.read();
    if (!used) return ask_usage();
    if (disks_) used->disk_read_bytes = disk_bytes();
    return *used;
  }

  std::int64_t peak_memory_bytes() override {
    if (auto ended = life_->final_usage()) return ended->peak_memory_bytes;
    const auto used = usage_.read();
    return used ? used->peak_memory_bytes : ask_usage().peak_memory_bytes;
  }

  void reset_peak() override { usage_.reset_peak(); }
  SandboxState look() override { return probe_.look(output_.folder); }
  void freeze() override {
    probe_.rest();
    usage_.rest();
    tell(SpawnerOp::freeze);
  }
  void thaw() override { tell(SpawnerOp::thaw); }

  bool has_output() override { return has_entries(output_.folder.get()); }
  OutputTree take_output(milliseconds patience) override { return request_output(output_, patience); }

 private:
  SandboxUsage ask_usage() {
    auto reply = connection_->ask({.op = SpawnerOp::usage, .runtime = 0, .id = 0, .sandbox = id_});
    if (reply && reply->event.kind == SpawnerEventKind::usage) {
      return {.cpu_us = reply->event.cpu_us,
              .peak_memory_bytes = reply->event.peak_memory_bytes,
              .network_rx = reply->event.network_rx,
              .network_tx = reply->event.network_tx,
              .disk_read_bytes = reply->event.disk_read_bytes};
    }
    // It ended in between; that event came before this reply.
    return life_->final_usage().value_or(SandboxUsage{});
  }

  // The spawner is asked only if anybody has read from a disk since, which most calls' time knows nothing of.
  std::int64_t disk_bytes() {
    const auto seen = disks_->bytes_read();
    if (!seen || seen != disks_seen_) disk_bytes_ = ask_usage().disk_read_bytes;
    disks_seen_ = seen;
    return disk_bytes_;
  }

  void tell(SpawnerOp op) { connection_->tell({.op = op, .runtime = 0, .id = 0, .sandbox = id_}); }

  std::shared_ptr<SpawnerConnection> connection_;
  const std::shared_ptr<const DiskActivity> disks_;  // null where a group counts what it reads from them
  std::optional<std::uint64_t> disks_seen_;
  std::int64_t disk_bytes_ = 0;  // as of then
  std::shared_ptr<SandboxLife> life_;
  std::uint64_t id_;
  StateProbe probe_;
  UsageProbe usage_;
  SandboxHandles handles_;
  OutputClient output_;
};

std::unexpected<Error> no_egress(std::string_view why) {
  return fail(errors::egress_unavailable, "network: \"egress\" is not available on this machine: " + std::string(why));
}

}  // namespace

SandboxLauncher::SandboxLauncher(SpawnerHandle spawner)
    : connection_(nullptr),
      disks_(std::make_shared<const DiskActivity>()),
      capacity_(spawner.slots),
      engine_hosts_(std::move(spawner.engine_hosts)) {
  connection_ = std::make_shared<SpawnerConnection>(std::move(spawner));
}

SandboxLauncher::~SandboxLauncher() = default;

int SandboxLauncher::capacity() const {
  return capacity_;
}

bool SandboxLauncher::alive() const {
  return connection_->alive();
}

Result<std::unique_ptr<Sandbox>> SandboxLauncher::launch(const LaunchRequest& request) {
  if (request.egress && !egress_open_) {
    if (auto opened = open_egress(); !opened) return fail(opened.error());
  }
  auto version = parse_version(request.version);
  if (!version) return fail(version.error());
  auto reply = connection_->ask({.op = SpawnerOp::launch,
                                 .runtime = static_cast<std::uint32_t>(request.runtime),
                                 .id = 0,
                                 .sandbox = 0,
                                 .memory_mb = static_cast<std::uint32_t>(request.memory_mb),
                                 .purpose = static_cast<std::uint32_t>(request.purpose),
                                 .egress = request.egress ? 1U : 0U,
                                 .thread_pool = static_cast<std::uint32_t>(request.thread_pool),
                                 .version = *version});
  if (!reply) return fail(reply.error());
  if (reply->event.kind == SpawnerEventKind::no_free_slot) {
    return fail(errors::no_free_slot, "all sandboxes of this worker are in use");
  }
  if (reply->event.kind == SpawnerEventKind::no_egress) return no_egress(get_text(reply->event.text));
  if (reply->cut) {
    connection_->tell({.op = SpawnerOp::kill, .runtime = 0, .id = 0, .sandbox = reply->event.sandbox});
    return fail(errors::no_descriptors, "the sandbox's descriptors found no room: Infra has too many files open");
  }
  if (reply->event.kind != SpawnerEventKind::launched) {
    const bool short_of = reply->event.kind == SpawnerEventKind::no_descriptors;
    return fail(short_of ? errors::no_descriptors : errors::sandbox_failed,
                "the sandbox could not be started: " + std::string(get_text(reply->event.text)));
  }
  return std::make_unique<SpawnedSandbox>(connection_, disks_, std::move(*reply));
}

Result<void> SandboxLauncher::open_egress() {
  const auto engines = addresses_of(engine_hosts_);
  if (!engines) return no_egress(engines.error().message);
  SpawnerRequest request{.op = SpawnerOp::open_egress};
  if (engines->size() > request.engines.size()) return no_egress("the engines have too many addresses to block");
  std::ranges::copy(*engines, request.engines.begin());
  auto reply = connection_->ask(request);
  if (!reply) return fail(reply.error());
  if (reply->event.kind != SpawnerEventKind::egress_open) return no_egress(get_text(reply->event.text));
  if (!egress_open_.exchange(true)) {
    const auto note = get_text(reply->event.text);
    log::info("egress is open", {{"note", note}});
  }
  return {};
}

Result<SandboxLauncher::Counts> SandboxLauncher::counts() {
  auto reply = connection_->ask({.op = SpawnerOp::list});
  if (!reply) return fail(reply.error());
  return Counts{.running = static_cast<int>(reply->event.running), .prepared = static_cast<int>(reply->event.prepared)};
}

}  // namespace infra::sandbox
