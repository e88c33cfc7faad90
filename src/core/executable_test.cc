#include "core/executable.h"

#include <elf.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <string>

namespace infra {
namespace {

std::string own_start() {
  std::ifstream file("/proc/self/exe", std::ios::binary);
  std::string start(kExecutableStart, '\0');
  file.read(start.data(), static_cast<std::streamsize>(start.size()));
  start.resize(static_cast<std::size_t>(file.gcount()));
  return start;
}

// This very program with one field of its header changed.
template <typename Change>
std::string changed(Change change) {
  std::string start = own_start();
  Elf64_Ehdr header;
  std::memcpy(&header, start.data(), sizeof header);
  change(header);
  std::memcpy(start.data(), &header, sizeof header);
  return start;
}

void expect_refused(const std::string& start, std::string_view says) {
  const auto checked = check_executable(start);
  ASSERT_FALSE(checked) << says;
  EXPECT_EQ(checked.error().code, "invalid_executable");
  EXPECT_EQ(checked.error().kind, ErrorKind::invalid);
  EXPECT_NE(checked.error().message.find(says), std::string::npos) << checked.error().message;
}

TEST(Executable, ProgramOfThisMachinePasses) {
  EXPECT_TRUE(check_executable(own_start()));
}

TEST(Executable, OtherMachinesAreNamed) {
  expect_refused(changed([](Elf64_Ehdr& header) { header.e_machine = EM_RISCV; }), "a program for RISC-V");
  expect_refused(changed([](Elf64_Ehdr& header) { header.e_machine = EM_386; }), "32-bit x86");
  expect_refused(changed([](Elf64_Ehdr& header) { header.e_ident[EI_CLASS] = ELFCLASS32; }), "64-bit");
}

TEST(Executable, WhatIsNoProgramIsNamed) {
  expect_refused("", "is empty");
  expect_refused("#!/bin/sh\n", "is a script");
  expect_refused("MZ\x90", "a Windows program");
  expect_refused("\xcf\xfa\xed\xfe\x07", "a macOS program");
  expect_refused("hello", "no ELF header");
  expect_refused(own_start().substr(0, 40), "is cut off");
  expect_refused(changed([](Elf64_Ehdr& header) { header.e_type = ET_REL; }), "never linked");
  expect_refused(changed([](Elf64_Ehdr& header) { header.e_entry = 0; }), "shared library");
}

TEST(Executable, LoaderThatASandboxLacksIsNamed) {
  std::string start = own_start();
  const auto at = start.find("/lib64/ld-linux-x86-64.so.2");
  if (at == std::string::npos) GTEST_SKIP() << "this build is not linked with that loader";
  start.replace(at, 27, "/lib/ld-musl-x86_64.so.1\0\0\0", 27);
  expect_refused(start, "/lib/ld-musl-x86_64.so.1");
}

TEST(Executable, DamagedTablesAreNotFollowed) {
  EXPECT_TRUE(check_executable(changed([](Elf64_Ehdr& header) { header.e_phoff = ~0ULL - 8; })));
  EXPECT_TRUE(check_executable(changed([](Elf64_Ehdr& header) { header.e_phoff = kExecutableStart - 8; })));
}

}  // namespace
}  // namespace infra
