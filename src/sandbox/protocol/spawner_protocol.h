// The messages between the program, its spawner and a sandbox's init: of fixed size over SOCK_SEQPACKET, so
// that the privileged side never parses anything. No path, argument or environment is among them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "sandbox/protocol/version_hash.h"
#include "sandbox/system/message_socket.h"

namespace infra::sandbox {

inline constexpr std::size_t kStreamFds = 6;  // control socket, stdout, stderr, AI listener, /output, its requests
static_assert(kMaxPassedFds == kStreamFds + 5 + 4);  // and what state_probe.h looks through

inline constexpr std::size_t kMaxEngineAddresses = 64;

enum class SpawnerOp : std::uint32_t { launch = 1, kill, usage, freeze, thaw, list, open_egress, open_file };

struct SpawnerRequest {
  SpawnerOp op = SpawnerOp::list;
  std::uint32_t runtime = 0;
  std::uint64_t id = 0;       // the reply carries it; 0: no reply wanted
  std::uint64_t sandbox = 0;  // of all but launch and list
  std::uint32_t memory_mb = 0;
  std::uint32_t purpose = 0;
  std::uint32_t egress = 0;  // 1: with a network
  std::uint32_t thread_pool = 0;
  std::uint32_t file = 0;  // of open_file: which of SpawnerOptions::files
  VersionHash version{};
  std::array<std::uint32_t, kMaxEngineAddresses> engines{};  // of open_egress: IPv4 in host order, 0 at the end
};

enum class SpawnerEventKind : std::uint32_t {
  ready = 1,     // the spawner's first words: it has swept and can launch
  start_failed,  // or: it can't, and `text` says why
  launched,      // with kMaxPassedFds descriptors; usage is the preparation's, which no call is charged for
  no_free_slot,
  launch_failed,   // `text` says which step
  no_descriptors,  // the same, and it is only that some lacked
  ended,           // of its own accord at any time, once for each launched sandbox
  usage,
  listed,
  unknown_sandbox,  // it has ended before the request came
  egress_open,      // `text` has what the machine's owner should know
  file_opened,      // with one descriptor
  file_refused,     // exit_code has the reason's errno
  no_egress,        // of a launch, too, before open_egress; `text` says why
};

struct SpawnerEvent {
  SpawnerEventKind kind = SpawnerEventKind::ready;
  std::uint32_t ai_port = 0;
  std::uint64_t id = 0;
  std::uint64_t sandbox = 0;
  std::int32_t exit_code = 0;
  std::int32_t signal = 0;
  std::uint32_t exited = 0;
  std::uint32_t out_of_memory = 0;
  std::int64_t cpu_us = 0;
  std::int64_t peak_memory_bytes = 0;
  std::int64_t network_rx = 0;
  std::int64_t network_tx = 0;
  std::int64_t disk_read_bytes = 0;
  std::uint32_t running = 0;    // of `listed`
  std::uint32_t prepared = 0;   // of `listed`
  std::uint32_t has_init = 0;   // of `launched`: its groups have its init in them
  std::uint32_t asks_disk = 0;  // of `launched`: only the spawner can read what its runner has read from disks
  std::array<char, kTextBytes> text{};
};

enum class InitOp : std::uint32_t {
  execute = 1,  // answers `built`: start the runner yourself; init is in the groups by now
  adopt,        // answers `built`: `runner` is there, and is this init's child
  open,         // to a parked one: run this version's code
};

// Spawner to init.
struct InitCommand {
  InitOp op = InitOp::open;
  std::int32_t runner = -1;  // as the sandbox counts its processes
  VersionHash version{};
};

// `built`: all is there but the runner. Said only where the zygote may fork one.
enum class InitReportKind : std::uint32_t { built = 1, prepared, running, failed, exited };

inline constexpr std::size_t kRunnerFds = 4;  // user namespace, control socket, stdout, stderr

// Init to spawner. `built` comes with kRunnerFds descriptors, `prepared` with the first that the worker gets, what
// counts the runner's reading from disks and, if there is a network, its counters; `running` with the descriptor of
// /workspace.
struct InitReport {
  InitReportKind kind = InitReportKind::failed;
  std::uint32_t ai_port = 0;
  std::int32_t wait_status = 0;  // of `exited`, as waitpid() gave it
  std::array<char, kTextBytes> text{};
};

static_assert(std::is_trivially_copyable_v<SpawnerRequest> && std::is_trivially_copyable_v<SpawnerEvent>);
static_assert(std::is_trivially_copyable_v<InitCommand> && std::is_trivially_copyable_v<InitReport>);

}  // namespace infra::sandbox
