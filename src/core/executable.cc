#include "core/executable.h"

#include <elf.h>
#include <fmt/format.h>

#include <cstring>
#include <string>

#include "core/error_codes.h"

namespace infra {
namespace {

#if defined(__x86_64__)
constexpr Elf64_Half kMachine = EM_X86_64;
constexpr std::string_view kMachineName = "x86_64";
constexpr std::string_view kLoader = "/lib64/ld-linux-x86-64.so.2";
#elif defined(__aarch64__)
constexpr Elf64_Half kMachine = EM_AARCH64;
constexpr std::string_view kMachineName = "aarch64";
constexpr std::string_view kLoader = "/lib/ld-linux-aarch64.so.1";
#else
#error "Infra runs on x86_64 and aarch64"
#endif

std::unexpected<Error> refuse(std::string_view what) {
  return fail(errors::invalid_executable,
              fmt::format("The file main {}; it must be a Linux program for {}.", what, kMachineName));
}

std::string name_of(Elf64_Half machine) {
  switch (machine) {
    case EM_386:
      return "32-bit x86";
    case EM_X86_64:
      return "x86_64";
    case EM_ARM:
      return "32-bit ARM";
    case EM_AARCH64:
      return "aarch64";
    case EM_RISCV:
      return "RISC-V";
    case EM_PPC64:
      return "ppc64";
    case EM_S390:
      return "s390x";
    default:
      return fmt::format("another processor (ELF machine {})", machine);
  }
}

// Of a file without ELF's first bytes.
std::unexpected<Error> refuse_other_format(std::string_view start) {
  using namespace std::literals;
  if (start.empty()) return refuse("is empty");
  if (start.starts_with("#!")) return refuse("is a script");
  if (start.starts_with("MZ")) return refuse("is a Windows program");
  for (const auto magic : {"\xcf\xfa\xed\xfe"sv, "\xfe\xed\xfa\xcf"sv, "\xca\xfe\xba\xbe"sv}) {
    if (start.starts_with(magic)) return refuse("is a macOS program");
  }
  return refuse("is no program (it has no ELF header)");
}

template <typename T>
bool read_at(std::string_view start, std::uint64_t offset, T& into) {
  if (offset > start.size() || start.size() - offset < sizeof into) return false;
  std::memcpy(&into, start.data() + offset, sizeof into);
  return true;
}

// The loader that a dynamically linked program names; empty if it names none, or further behind than we look.
std::string_view loader_of(std::string_view start, const Elf64_Ehdr& header) {
  for (std::uint64_t i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr part;
    if (!read_at(start, header.e_phoff + i * header.e_phentsize, part)) return {};
    if (part.p_type != PT_INTERP) continue;
    if (part.p_offset > start.size() || start.size() - part.p_offset < part.p_filesz || part.p_filesz == 0) return {};
    return start.substr(part.p_offset, part.p_filesz - 1);
  }
  return {};
}

}  // namespace

std::string_view machine_name() {
  return kMachineName;
}

Result<void> check_executable(std::string_view start) {
  if (!start.starts_with(ELFMAG)) return refuse_other_format(start);
  Elf64_Ehdr header;
  if (!read_at(start, 0, header)) return refuse("is cut off");
  // The machine's field is where it is in both classes.
  if (header.e_machine != kMachine) return refuse(fmt::format("is a program for {}", name_of(header.e_machine)));
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB) {
    return refuse("is no 64-bit little-endian program");
  }
  if (header.e_type == ET_REL) return refuse("is an object file that was never linked");
  if (header.e_type == ET_CORE) return refuse("is a core dump");
  if (header.e_type != ET_EXEC && header.e_type != ET_DYN) return refuse("is no program");
  if (header.e_phnum == 0 || header.e_phentsize != sizeof(Elf64_Phdr)) return refuse("has no program headers");
  if (header.e_entry == 0) return refuse("is a shared library");
  const auto loader = loader_of(start, header);
  if (!loader.empty() && loader != kLoader) {
    return refuse(fmt::format("needs the loader {}, which is not there: link it statically", loader.substr(0, 200)));
  }
  return {};
}

}  // namespace infra
