#include "sandbox/spawner/spawner_process.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <utility>

#include "core/limits.h"
#include "sandbox/inside/sandbox_init.h"
#include "sandbox/protocol/spawner_protocol.h"
#include "sandbox/protocol/state_probe.h"
#include "sandbox/spawner/runner_programs.h"
#include "sandbox/system/cgroup_files.h"
#include "sandbox/system/system_error.h"

namespace infra::sandbox {
namespace {

constexpr std::size_t kSpareSlots = 64;  // beside those that run: parked, or not yet cleared away
constexpr int kIndexBits = 16;           // of a sandbox's number: which slot it is in
constexpr int kRetryMs = 2;
constexpr int kIdleMs = 5;  // launches come first: the stock is filled up when this long nothing was asked
constexpr int kSurplusMs = 10'000;
constexpr std::chrono::milliseconds kPutOff{1000};  // what else there is to do waits for launches no longer

}  // namespace

SpawnerProcess::SpawnerProcess(const SpawnerOptions& options, int socket, CgroupSlots& cgroups,
                               const SeccompPrograms& seccomp)
    : options_(options),
      socket_(socket),
      cgroups_(cgroups),
      seccomp_(seccomp),
      watched_(::epoll_create1(EPOLL_CLOEXEC)),
      slots_(static_cast<std::size_t>(options.slots) + kSpareSlots),
      prewarm_(basic_kinds()),
      roots_(options.python_packages),
      proc_(find_proc_covers()),
      zygotes_(options),
      egress_(options.egress, instance_name(options.versions_root)) {}

std::vector<SandboxKind> SpawnerProcess::basic_kinds() const {
  const auto most = [](const SandboxKind& kind) { return traits_of(kind.runtime).most_waiting; };
  std::vector<SandboxKind> kinds;
  for (const auto& row : kRuntimes) {
    const auto kind = sandbox_kind(LaunchPurpose::run, row.runtime, limits::kDefaultMemoryMb);
    if (row.waits_as != row.runtime || !launch_command(options_, kind)) continue;
    // They are prepared in this order: what costs most, and so waits in the smallest number, comes last.
    kinds.insert(std::ranges::upper_bound(kinds, row.most_waiting, std::greater{}, most), kind);
  }
  return kinds;
}

void SpawnerProcess::run() {
  zygotes_.start();
  while (!stop_ && wait_for_events()) {
  }
  shut_down();
}

bool SpawnerProcess::wait_for_events() {
  const auto zygotes = zygotes_.sockets();
  std::array<pollfd, 5> polled{{{socket_, POLLIN, 0},
                                {zygotes[0], POLLIN, 0},
                                {zygotes[1], POLLIN, 0},
                                {watched_.get(), POLLIN, 0},
                                {locks_.answer(), POLLIN, 0}}};
  int patience = time_to_wait();
  if (const int zygote = zygotes_.patience_ms(); zygote >= 0) patience = std::min(patience, zygote);
  const int ready_count = ::poll(polled.data(), polled.size(), patience);
  if (ready_count < 0) return errno == EINTR;
  if (!content_ && count(State::draining) > 0) retry_removals();
  if (polled[3].revents != 0) take_slot_events();
  if (polled[1].revents != 0 || polled[2].revents != 0 || zygotes_.patience_ms() == 0) take_runners();
  if (polled[4].revents != 0) end_lock_holders();
  look_at_flood();
  if (polled[0].revents != 0 && !take_requests()) return false;
  if (!content_ && refill(prewarm_.short_of(counter()))) return true;
  const bool idle = ready_count == 0 && !refill(prewarm_.lacking(counter()));
  if (idle) give_up_surplus();
  if (const auto now = std::chrono::steady_clock::now(); idle || now - kept_house_ >= kPutOff) keep_house(now);
  return true;
}

void SpawnerProcess::keep_house(SteadyTime now) {
  kept_house_ = now;
  egress_.follow_links();
  if (locks_.pause_left(now).count() == 0) locks_.look(suspects_);
  zygotes_.renew(now);
}

// There may be a thousand slots, of which few have something to say.
void SpawnerProcess::take_slot_events() {
  std::array<epoll_event, 64> events{};
  const int got = ::epoll_wait(watched_.get(), events.data(), static_cast<int>(events.size()), 0);
  for (int i = 0; i < got; ++i) {
    const std::uint64_t tag = events[static_cast<std::size_t>(i)].data.u64;
    const auto index = static_cast<std::size_t>(tag >> 1);
    if ((tag & 1) != 0) {
      if (slots_[index].init_fd.valid()) take_exit(index);
    } else {
      take_reports(index);
    }
  }
}

void SpawnerProcess::watch(std::size_t index) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = index << 1;
  ::epoll_ctl(watched_.get(), EPOLL_CTL_ADD, slots_[index].report.get(), &event);
  event.data.u64 |= 1;
  ::epoll_ctl(watched_.get(), EPOLL_CTL_ADD, slots_[index].init_fd.get(), &event);
}

// Not left to close(): a child that is still being made has a copy.
void SpawnerProcess::unwatch(const UniqueFd& fd) const {
  if (fd.valid()) ::epoll_ctl(watched_.get(), EPOLL_CTL_DEL, fd.get(), nullptr);
}

int SpawnerProcess::time_to_wait() {
  const int at_most = time_to_idle_work();
  if (content_) return at_most;
  if (prewarm_.short_of(counter())) return 0;
  if (count(State::draining) > 0) return kRetryMs;
  if (prewarm_.lacking(counter())) return kIdleMs;
  content_ = true;
  return at_most;
}

// That is done once nothing else was asked for so long.
int SpawnerProcess::time_to_idle_work() const {
  const auto now = std::chrono::steady_clock::now();
  if (zygotes_.is_due(now)) return kIdleMs;
  std::int64_t left = kSurplusMs;
  if (!suspects_.empty())
    left = std::min<std::int64_t>(left, std::max<std::int64_t>(kIdleMs, locks_.pause_left(now).count()));
  if (awake_ > 0 && flood_.can_tell()) left = std::min<std::int64_t>(left, LockFlood::kPause.count());
  return static_cast<int>(left);
}

bool SpawnerProcess::take_requests() {
  for (;;) {
    SpawnerRequest request;
    switch (receive_message(socket_, request, nullptr, false)) {
      case Received::nothing:
        return true;
      case Received::closed:
      case Received::cut:  // a request brings no descriptors
        return false;
      case Received::message:
        handle(request);
    }
  }
}

bool SpawnerProcess::refill(std::optional<SandboxKind> kind) {
  if (!kind) return false;
  const auto slot = std::ranges::find(slots_, State::free, &Slot::state);
  if (slot == slots_.end() || !prepare(static_cast<std::size_t>(slot - slots_.begin()), *kind)) prewarm_.failed(*kind);
  return true;
}

void SpawnerProcess::give_up_surplus() {
  const auto kind = prewarm_.surplus(counter(), std::chrono::steady_clock::now());
  if (!kind) return;
  const auto slot = std::ranges::find_if(slots_, [&](const Slot& candidate) {
    return candidate.state == State::parked && candidate.request == 0 && candidate.kind == *kind;
  });
  if (slot != slots_.end()) kill(*slot);
}

bool SpawnerProcess::prepare(std::size_t index, const SandboxKind& kind) {
  Slot& slot = slots_[index];
  slot = Slot{};
  slot.kind = kind;
  content_ = false;
  if (auto created = cgroups_.create(static_cast<int>(index)); !created) {
    note_failure(slot, created.error());
    return false;
  }
  int ends[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    note_failure(slot, system_failure("socketpair").error());
    return false;
  }
  slot.report.reset(ends[0]);
  const UniqueFd theirs(ends[1]);
  if (auto started = start_init(index, kind, theirs.get()); !started) {
    note_failure(slot, started.error());
    slot.report.reset();
    if (slot.network >= 0) egress_.give_back(std::exchange(slot.network, -1));
    (void)cgroups_.remove(static_cast<int>(index));
    return false;
  }
  slot.sandbox = ++last_sandbox_ << kIndexBits | index;
  slot.state = State::preparing;
  watch(index);
  return true;
}

// Not fork(): the namespaces and the group have to be there from the first instruction. That of the mounts is a copy of
// the template's, which init itself makes.
Result<void> SpawnerProcess::start_init(std::size_t index, const SandboxKind& kind, int report) {
  std::optional<Egress::Lease> network;
  if (kind.egress) {
    auto taken = egress_.take();
    if (!taken) return fail(taken.error());
    network = std::move(*taken);
    slots_[index].network = network->number;
  }
  const int number = static_cast<int>(index);
  auto runner = launch_command(options_, kind);
  if (!runner) return fail(runner.error());
  auto root = roots_.get(runner_folder(options_, kind.purpose, kind.runtime),
                         network ? resolv_conf_of(network->plan) : std::string());
  if (!root) return fail(root.error());
  const bool forked = traits_of(kind.runtime).forked && kind.purpose == LaunchPurpose::run && zygotes_.ready();
  int pid_fd = -1;
  clone_args arguments{};
  arguments.flags = CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_PIDFD;
  arguments.pidfd = reinterpret_cast<std::uintptr_t>(&pid_fd);
  arguments.exit_signal = SIGCHLD;
  // Where a runner comes from elsewhere, init itself stays outside: it has no work that a function should be charged
  // for.
  const int group = forked ? -1 : cgroups_.clone_target(number);
  if (group >= 0) {
    arguments.flags |= CLONE_INTO_CGROUP;
    arguments.cgroup = static_cast<std::uint64_t>(group);
  }
  const auto child = static_cast<pid_t>(::syscall(SYS_clone3, &arguments, sizeof arguments));
  if (child == 0) {
    run_sandbox_init({.options = options_,
                      .seccomp = seccomp_,
                      .slot = number,
                      .purpose = kind.purpose,
                      .root_template = *root,
                      .proc = proc_,
                      .join_files = forked || group >= 0 ? std::vector<std::string>() : cgroups_.join_files(number),
                      .command = std::move(*runner),
                      .runner_is_forked = forked,
                      .network = network ? std::optional(network->plan) : std::nullopt},
                     report, network ? network->machine.get() : -1);
  }
  if (child < 0) return system_failure("cloning into new namespaces");
  slots_[index].init_fd.reset(pid_fd);
  slots_[index].init_pid = child;
  slots_[index].init_in_groups = !forked;
  return {};
}

void SpawnerProcess::ask_for_runner(std::size_t index, const PassedFds& fds) {
  const Slot& slot = slots_[index];
  const auto files = cgroups_.join_files(static_cast<int>(index));
  if (!zygotes_.ask(slot.sandbox, slot.init_fd.get(), fds, files)) give_own_runner(index);
}

void SpawnerProcess::take_runners() {
  for (const auto& answer : zygotes_.listen()) {
    const Slot* slot = find(answer.sandbox, State::preparing);
    if (slot == nullptr) continue;
    if (answer.runner > 0) {
      send_message(slot->report.get(), InitCommand{.op = InitOp::adopt, .runner = answer.runner});
    } else {
      give_own_runner(static_cast<std::size_t>(slot - slots_.data()));
    }
  }
  content_ = false;
}

// Writing to cgroup.procs takes milliseconds; but a zygote is lost once in a blue moon.
void SpawnerProcess::give_own_runner(std::size_t index) {
  Slot& slot = slots_[index];
  for (const auto& file : cgroups_.join_files(static_cast<int>(index))) {
    if (auto placed = write_cgroup(file, std::to_string(slot.init_pid)); !placed) {
      note_failure(slot, placed.error());
      return kill(slot);  // what is outside its groups has no limits
    }
  }
  slot.init_in_groups = true;
  send_message(slot.report.get(), InitCommand{.op = InitOp::execute});
}

void SpawnerProcess::command(std::size_t index) {
  Slot& slot = slots_[index];
  slot.state = State::launching;
  if (auto limited = cgroups_.limit(static_cast<int>(index), static_cast<int>(slot.memory_mb)); !limited) {
    note_failure(slot, limited.error());
    return kill(slot);
  }
  slot.prepared = used_in_all(index);
  send_message(slot.report.get(), InitCommand{.version = slot.version});  // if it is gone, its exit says so
}

void SpawnerProcess::take_reports(std::size_t index) {
  while (slots_[index].report.valid()) {
    InitReport report;
    PassedFds fds;
    switch (receive_message(slots_[index].report.get(), report, &fds, false)) {
      case Received::nothing:
        return;
      case Received::closed:
        unwatch(slots_[index].report);
        slots_[index].report.reset();
        return;
      case Received::cut:
        note_failure(slots_[index], system_failure("receiving a sandbox's descriptors", EMFILE).error());
        return kill(slots_[index]);
      case Received::message:
        take_report(index, report, std::move(fds));
    }
  }
}

void SpawnerProcess::take_report(std::size_t index, const InitReport& report, PassedFds fds) {
  Slot& slot = slots_[index];
  switch (report.kind) {
    case InitReportKind::built:
      return ask_for_runner(index, fds);
    case InitReportKind::prepared:
      if (!cgroups_.counts_disk(static_cast<int>(index))) slot.disk = std::move(fds[kStreamFds + kEarlyProbes]);
      fds[kStreamFds + kEarlyProbes].reset();
      slot.counters = std::move(fds[kStreamFds + kEarlyProbes + 1]);
      slot.streams = std::move(fds);
      slot.ai_port = report.ai_port;
      slot.state = State::parked;
      content_ = false;
      if (slot.request != 0) command(index);
      return;
    case InitReportKind::running:
      slot.state = State::running;
      ++awake_;
      return tell_launched(index);
    case InitReportKind::failed:
      slot.failure = get_text(report.text);
      return;
    case InitReportKind::exited:
      slot.has_status = true;
      slot.wait_status = report.wait_status;
      return;
  }
}

void SpawnerProcess::tell_launched(std::size_t index) {
  Slot& slot = slots_[index];
  const int number = static_cast<int>(index);
  const auto usage = cgroups_.usage_files(number);
  const UniqueFd processes = open_probe(cgroups_.process_count_file(number), O_RDONLY);
  const UniqueFd null = open_probe("/dev/null", O_RDONLY);
  std::array<int, kMaxPassedFds> fds{};
  const auto rest = std::ranges::transform(slot.streams, fds.begin(), &UniqueFd::get).out - kUsageProbes - 1;
  const std::array<int, kUsageProbes + 1> own{processes.get(), usage.cpu.get(), usage.peak.get(), usage.disk.get(),
                                              slot.counters.get()};
  std::ranges::transform(own, rest, [&](int fd) { return fd >= 0 ? fd : null.get(); });
  if (std::ranges::any_of(fds, [](int fd) { return fd < 0; })) {
    note_failure(slot, system_failure("opening a sandbox's counters", EMFILE).error());
    slot.state = State::launching;  // as which its end is told
    return kill(slot);
  }
  SpawnerEvent launched{
      .kind = SpawnerEventKind::launched, .ai_port = slot.ai_port, .id = slot.request, .sandbox = slot.sandbox};
  launched.cpu_us = slot.prepared.cpu_us;
  launched.disk_read_bytes = slot.prepared.disk_read_bytes;
  launched.has_init = slot.init_in_groups ? 1 : 0;
  launched.asks_disk = slot.disk.valid() ? 1 : 0;
  send(launched, fds);
  slot.streams = {};
}

void SpawnerProcess::take_exit(std::size_t index) {
  Slot& slot = slots_[index];
  siginfo_t info{};
  if (::waitid(P_PIDFD, static_cast<id_t>(slot.init_fd.get()), &info, WEXITED | WNOHANG) != 0 || info.si_pid == 0)
    return;
  take_reports(index);  // what it said last
  tell_end(index);
  clear(index);
}

void SpawnerProcess::tell_end(std::size_t index) {
  const Slot& slot = slots_[index];
  if (slot.state == State::running) {
    const SandboxUsage used = usage(index);
    SpawnerEvent ended{.kind = SpawnerEventKind::ended, .ai_port = 0, .id = 0, .sandbox = slot.sandbox};
    ended.exited = slot.has_status && WIFEXITED(slot.wait_status) ? 1 : 0;
    ended.exit_code = ended.exited != 0 ? WEXITSTATUS(slot.wait_status) : 0;
    ended.signal = ended.exited != 0 ? 0 : (slot.has_status ? WTERMSIG(slot.wait_status) : SIGKILL);
    ended.out_of_memory = cgroups_.out_of_memory(static_cast<int>(index)) ? 1 : 0;
    ended.cpu_us = used.cpu_us;
    ended.peak_memory_bytes = used.peak_memory_bytes;
    ended.network_rx = used.network_rx;
    ended.network_tx = used.network_tx;
    ended.disk_read_bytes = used.disk_read_bytes;
    return send(ended);
  }
  if (slot.request == 0) {
    if (slot.state == State::preparing || slot.has_status) prewarm_.failed(slot.kind);  // not one that was given up
    return;
  }
  SpawnerEvent failed{
      .kind = slot.short_of_descriptors ? SpawnerEventKind::no_descriptors : SpawnerEventKind::launch_failed,
      .ai_port = 0,
      .id = slot.request};
  const bool out_of_memory = cgroups_.out_of_memory(static_cast<int>(index));
  put_text(failed.text, !slot.failure.empty() ? slot.failure
                        : out_of_memory       ? std::string("the memory limit is too small to start it")
                                              : std::string("it was killed while it started"));
  send(failed);
}

void SpawnerProcess::note_failure(Slot& slot, const Error& error) {
  slot.failure = error.message;
  slot.short_of_descriptors = error.code == errors::no_descriptors;
}

void SpawnerProcess::clear(std::size_t index) {
  content_ = false;
  unwatch(slots_[index].report);
  unwatch(slots_[index].init_fd);
  if (slots_[index].network >= 0) egress_.give_back(slots_[index].network);
  if (slots_[index].state == State::running && !slots_[index].frozen) --awake_;
  slots_[index] = Slot{};
  if (!cgroups_.remove(static_cast<int>(index))) slots_[index].state = State::draining;
}

void SpawnerProcess::retry_removals() {
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].state == State::draining && cgroups_.remove(static_cast<int>(i))) slots_[i].state = State::free;
  }
}

// Killing a pid namespace's init kills all that is in it.
void SpawnerProcess::kill(const Slot& slot) const {
  if (slot.init_fd.valid()) ::syscall(SYS_pidfd_send_signal, slot.init_fd.get(), SIGKILL, nullptr, 0);
}

void SpawnerProcess::shut_down() {
  for (const Slot& slot : slots_) kill(slot);
  for (const Slot& slot : slots_) {
    siginfo_t info{};
    if (slot.init_fd.valid()) ::waitid(P_PIDFD, static_cast<id_t>(slot.init_fd.get()), &info, WEXITED);
  }
  slots_.clear();
  (void)cgroups_.sweep();
  cgroups_.remove_parents();
}

SpawnerProcess::Slot* SpawnerProcess::find(std::uint64_t sandbox, State state) {
  const std::size_t index = sandbox & ((1U << kIndexBits) - 1);
  if (index >= slots_.size()) return nullptr;
  Slot& slot = slots_[index];
  return slot.state == state && slot.sandbox == sandbox ? &slot : nullptr;
}

int SpawnerProcess::ready(const SandboxKind& kind) const {
  return static_cast<int>(std::ranges::count_if(slots_, [&](const Slot& slot) {
    return (slot.state == State::parked || slot.state == State::preparing) && slot.request == 0 && slot.kind == kind;
  }));
}

// While the zygote starts there are enough of what it forks: soon they will cost a tenth.
PrewarmPolicy::Count SpawnerProcess::counter() const {
  return [this](const SandboxKind& kind) {
    return traits_of(kind.runtime).forked && zygotes_.starting() ? prewarm_.wanted(kind) : ready(kind);
  };
}

int SpawnerProcess::in_use() const {
  return static_cast<int>(std::ranges::count_if(slots_, [](const Slot& slot) { return slot.request != 0; }));
}

std::size_t SpawnerProcess::count(State state) const {
  return static_cast<std::size_t>(std::ranges::count(slots_, state, &Slot::state));
}

void SpawnerProcess::send(const SpawnerEvent& event, std::span<const int> fds) {
  if (!send_message(socket_, event, fds)) stop_ = true;
}

}  // namespace infra::sandbox
