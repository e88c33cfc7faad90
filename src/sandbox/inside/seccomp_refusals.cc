#include "sandbox/inside/seccomp_refusals.h"

#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace infra::sandbox {
namespace {

// Of headers that the systems that this is built on have different versions of.
constexpr std::uint32_t kTcpMd5Ext = 32, kTcpUlp = 31, kTcpAoAddKey = 38, kTcpAoDeleteKey = 39, kTcpAoInfo = 40,
                        kTcpAoRepair = 42;
constexpr std::uint32_t kCoreScheduling = 62;
constexpr std::uint32_t kNoReadFlags = 0x8 | 0x80;  // RWF_NOWAIT, RWF_DONTCACHE

// Of an argument of 32 bits, as the kernel takes all of these.
struct Condition {
  unsigned argument = 0;
  std::uint32_t mask = ~0U;
  bool among = true;  // or else not among
  std::vector<std::uint32_t> values;
};
struct Refusal {
  int call = 0;
  std::vector<Condition> all;
  int error = 0;  // 0: the caller is told that it is done
};

Condition among(unsigned argument, std::vector<std::uint32_t> values, std::uint32_t mask = ~0U) {
  return {.argument = argument, .mask = mask, .among = true, .values = std::move(values)};
}
Condition not_among(unsigned argument, std::vector<std::uint32_t> values, std::uint32_t mask = ~0U) {
  return {.argument = argument, .mask = mask, .among = false, .values = std::move(values)};
}
Condition any_bit(unsigned argument, std::uint32_t bits) {
  return not_among(argument, {0}, bits);
}

// Those of one call stand side by side, in the order in which they are looked at.
std::vector<Refusal> refusals() {
  constexpr std::uint32_t kType = 0xf;  // beside it there are only flags
  const auto internet = among(0, {AF_INET, AF_INET6});
  return {
      // A family, kind or protocol that is not there yet makes the kernel load a module of that name.
      {SCMP_SYS(socket), {not_among(0, {AF_UNIX, AF_INET, AF_INET6})}, EAFNOSUPPORT},
      {SCMP_SYS(socket), {internet, among(1, {SOCK_RAW}, kType)}, EPERM},
      {SCMP_SYS(socket), {internet, not_among(1, {SOCK_STREAM, SOCK_DGRAM}, kType)}, EPROTONOSUPPORT},
      {SCMP_SYS(socket), {internet, among(1, {SOCK_STREAM}, kType), not_among(2, {0, IPPROTO_TCP})}, EPROTONOSUPPORT},
      {SCMP_SYS(socket), {internet, among(1, {SOCK_DGRAM}, kType), not_among(2, {0, IPPROTO_UDP})}, EPROTONOSUPPORT},
      {SCMP_SYS(socketpair), {not_among(0, {AF_UNIX})}, EAFNOSUPPORT},
      // Programs for the kernel, whose room for them is one for the machine; layers and ciphers that are modules.
      {SCMP_SYS(setsockopt), {not_among(1, {SOL_SOCKET, SOL_IP, SOL_IPV6, SOL_TCP, SOL_UDP})}, ENOPROTOOPT},
      {SCMP_SYS(setsockopt),
       {among(1, {SOL_SOCKET}),
        among(2, {SO_ATTACH_FILTER, SO_ATTACH_BPF, SO_ATTACH_REUSEPORT_CBPF, SO_ATTACH_REUSEPORT_EBPF})},
       ENOPROTOOPT},
      {SCMP_SYS(setsockopt),
       {among(1, {SOL_TCP}),
        among(2, {TCP_MD5SIG, kTcpMd5Ext, kTcpUlp, kTcpAoAddKey, kTcpAoDeleteKey, kTcpAoInfo, kTcpAoRepair})},
       ENOPROTOOPT},
      // Another filter takes of that room, too; a core of one's own makes its other half stand still.
      {SCMP_SYS(prctl), {among(0, {PR_SET_SECCOMP, kCoreScheduling})}, EPERM},
      // Which parts of a file that all see are in memory. What is there read by others is no function's business.
      {SCMP_SYS(preadv2), {any_bit(5, kNoReadFlags)}, EOPNOTSUPP},
      {SCMP_SYS(madvise), {among(2, {MADV_MERGEABLE})}, EINVAL},
      // As for fsync(): a mapping may be of a file on the machine's disk.
      {SCMP_SYS(msync), {any_bit(2, MS_SYNC)}, 0},
      // Init, which shares the function's user id, is number 1 in here.
      {SCMP_SYS(sched_setaffinity), {among(0, {1})}, EPERM},
  };
}

// A program that grows from its end: what a jump leads over is there already.
class Backwards {
 public:
  [[nodiscard]] std::size_t size() const { return code_.size(); }
  void add(std::uint16_t code, std::uint32_t value, std::size_t if_true = 0, std::size_t if_not = 0) {
    code_.push_back({code, static_cast<std::uint8_t>(if_true), static_cast<std::uint8_t>(if_not), value});
  }
  [[nodiscard]] SeccompProgram finish() const { return {code_.rbegin(), code_.rend()}; }

 private:
  SeccompProgram code_;
};

constexpr std::uint16_t kLoad = BPF_LD | BPF_W | BPF_ABS;
constexpr std::uint16_t kEqual = BPF_JMP | BPF_JEQ | BPF_K;
constexpr std::uint16_t kJump = BPF_JMP | BPF_JA;

// Goes on behind itself if it holds, else where the program was `miss` long.
void add(Backwards& program, const Condition& condition, std::size_t miss) {
  const std::size_t hit = program.size();
  const std::size_t met = condition.among ? hit : miss;
  const std::size_t unmet = condition.among ? miss : hit;
  for (auto value = condition.values.rbegin(); value != condition.values.rend(); ++value) {
    const bool last = value == condition.values.rbegin();
    program.add(kEqual, *value, program.size() - met, last ? program.size() - unmet : 0);
  }
  if (condition.mask != ~0U) program.add(BPF_ALU | BPF_AND | BPF_K, condition.mask);
  const std::size_t low_word = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 0 : sizeof(std::uint32_t);
  program.add(kLoad, static_cast<std::uint32_t>(offsetof(seccomp_data, args) +
                                                sizeof(std::uint64_t) * condition.argument + low_word));
}

}  // namespace

SeccompProgram refusals_by_argument() {
  const auto all = refusals();
  Backwards program;
  for (auto last = all.rbegin(); last != all.rend();) {
    const int call = last->call;
    const std::size_t next_call = program.size();
    program.add(kJump, static_cast<std::uint32_t>(next_call));  // none of them holds: to the end
    for (; last != all.rend() && last->call == call; ++last) {
      const std::size_t miss = program.size();
      program.add(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(last->error));
      std::for_each(last->all.rbegin(), last->all.rend(),
                    [&](const Condition& condition) { add(program, condition, miss); });
    }
    program.add(kEqual, static_cast<std::uint32_t>(call), 0, program.size() - next_call);
  }
  const std::size_t whole = program.size();
  program.add(kLoad, offsetof(seccomp_data, nr));
  // Numbers are those of this architecture; what speaks another is the rest's affair.
  program.add(kEqual, ::seccomp_arch_native(), 1, 0);
  SeccompProgram made = program.finish();
  // The way past all of it is longer than a condition can jump.
  made.insert(made.begin() + 1, {kJump, 0, 0, static_cast<std::uint32_t>(whole + 1)});
  made.insert(made.begin(), {kLoad, 0, 0, offsetof(seccomp_data, arch)});
  return made;
}

}  // namespace infra::sandbox
