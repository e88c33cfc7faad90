#include "main/host_machine.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <thread>

#include "sandbox/system/descriptors.h"

namespace infra {
namespace {

std::string host_name() {
  std::array<char, 256> name{};
  gethostname(name.data(), name.size() - 1);
  return name.data();
}

// A tenth is what the kernel and the rest of the machine want to go on with.
bool short_of_memory() {
  std::ifstream file("/proc/meminfo");
  std::string name, unit;
  std::int64_t kib = 0, total = 0;
  while (file >> name >> kib) {
    if (name == "MemTotal:") total = kib;
    if (name == "MemAvailable:") return kib < total / 10;
    std::getline(file, unit);
  }
  return false;
}

}  // namespace

HostMachine this_machine() {
  return {.name = host_name(),
          .processors = static_cast<int>(std::max(1U, std::thread::hardware_concurrency())),
          .memory_mb = static_cast<std::int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE) / (1024 * 1024),
          .descriptor_limit = sandbox::descriptor_limit(),
          .open_descriptors = sandbox::open_descriptors,
          .short_of_memory = short_of_memory,
          .disk = disk_state};
}

}  // namespace infra
