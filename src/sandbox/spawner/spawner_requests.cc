// What the program asks of its spawner: launches, ends, usage.
#include <algorithm>
#include <optional>

#include "core/limits.h"
#include "sandbox/protocol/spawner_protocol.h"
#include "sandbox/spawner/listed_file.h"
#include "sandbox/spawner/spawner_process.h"

namespace infra::sandbox {
namespace {

// Nullopt for what no worker asks for.
std::optional<SandboxKind> kind_of(const SpawnerRequest& request) {
  const auto runtime = from_number<Runtime>(request.runtime);
  const auto purpose = from_number<LaunchPurpose>(request.purpose);
  const bool in_bounds = request.memory_mb >= static_cast<std::uint32_t>(limits::kMinMemoryMb) &&
                         request.memory_mb <= static_cast<std::uint32_t>(limits::kMaxMemoryMb) && request.egress <= 1 &&
                         request.thread_pool <= static_cast<std::uint32_t>(limits::kMaxThreadPool) && request.id != 0;
  if (!runtime || !purpose || !in_bounds) return std::nullopt;
  return sandbox_kind(*purpose, *runtime, static_cast<int>(request.memory_mb), request.egress != 0,
                      static_cast<int>(request.thread_pool));
}

}  // namespace

void SpawnerProcess::handle(const SpawnerRequest& request) {
  switch (request.op) {
    case SpawnerOp::launch:
      return launch(request);
    case SpawnerOp::kill:
      if (const Slot* slot = find(request.sandbox)) kill(*slot);
      return;
    case SpawnerOp::freeze:
    case SpawnerOp::thaw:
      return freeze(request);
    case SpawnerOp::usage:
      return answer_usage(request);
    case SpawnerOp::list:
      return answer_list(request);
    case SpawnerOp::open_egress:
      return answer_egress(request);
    case SpawnerOp::open_file:
      if (!answer_open_file(options_, request, socket_)) stop_ = true;
      return;
  }
}

void SpawnerProcess::launch(const SpawnerRequest& request) {
  SpawnerEvent refusal{.kind = SpawnerEventKind::launch_failed, .ai_port = 0, .id = request.id};
  const auto asked = kind_of(request);
  if (!asked) {
    put_text(refusal.text, "the request is not one that a worker makes");
    return send(refusal);
  }
  const SandboxKind& kind = *asked;
  if (kind.egress && !egress_.is_open()) {
    refusal.kind = SpawnerEventKind::no_egress;
    put_text(refusal.text, "it was not opened");
    return send(refusal);
  }
  const auto find_in = [&](State state) {
    return std::ranges::find_if(slots_, [&](const Slot& slot) {
      return slot.state == state && slot.request == 0 && (state == State::free || slot.kind == kind);
    });
  };
  auto slot = find_in(State::parked);
  const bool found = slot != slots_.end();
  if (!found) slot = find_in(State::preparing);
  const bool is_new = slot == slots_.end();
  if (is_new) slot = find_in(State::free);
  if (slot == slots_.end() || in_use() >= options_.slots) {
    refusal.kind = SpawnerEventKind::no_free_slot;
    return send(refusal);
  }
  prewarm_.launched(kind, found, std::chrono::steady_clock::now());
  content_ = false;
  if (is_new && !prepare(static_cast<std::size_t>(slot - slots_.begin()), kind)) {
    prewarm_.failed(kind);
    if (slot->short_of_descriptors) refusal.kind = SpawnerEventKind::no_descriptors;
    put_text(refusal.text, slot->failure);
    return send(refusal);
  }
  slot->request = request.id;
  slot->memory_mb = request.memory_mb;
  slot->version = request.version;
  if (slot->state == State::parked) command(static_cast<std::size_t>(slot - slots_.begin()));
}

void SpawnerProcess::answer_usage(const SpawnerRequest& request) {
  SpawnerEvent answer{
      .kind = SpawnerEventKind::unknown_sandbox, .ai_port = 0, .id = request.id, .sandbox = request.sandbox};
  if (const Slot* slot = find(request.sandbox)) {
    const SandboxUsage used = usage(static_cast<std::size_t>(slot - slots_.data()));
    answer.kind = SpawnerEventKind::usage;
    answer.cpu_us = used.cpu_us;
    answer.peak_memory_bytes = used.peak_memory_bytes;
    answer.network_rx = used.network_rx;
    answer.network_tx = used.network_tx;
    answer.disk_read_bytes = used.disk_read_bytes;
  }
  send(answer);
}

void SpawnerProcess::answer_list(const SpawnerRequest& request) {
  SpawnerEvent answer{.kind = SpawnerEventKind::listed, .ai_port = 0, .id = request.id};
  answer.running = static_cast<std::uint32_t>(count(State::running) + count(State::launching));
  answer.prepared = static_cast<std::uint32_t>(count(State::parked));
  send(answer);
}

void SpawnerProcess::answer_egress(const SpawnerRequest& request) {
  const auto end = std::ranges::find(request.engines, 0U);
  const auto opened = egress_.open(std::span(request.engines.begin(), end));
  SpawnerEvent answer{
      .kind = opened ? SpawnerEventKind::egress_open : SpawnerEventKind::no_egress, .ai_port = 0, .id = request.id};
  put_text(answer.text, opened ? egress_.note() : opened.error().message);
  send(answer);
}

}  // namespace infra::sandbox
