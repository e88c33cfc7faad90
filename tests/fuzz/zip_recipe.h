// ZIPs out of a recipe: what a mutated byte means here is an entry's name, kind or lie, and not one more broken
// checksum, so that inputs get past the format to what is decided about entries.
#pragma once

#include <string>
#include <string_view>

#include "fuzz/target.h"
#include "support/zip_builder.h"

namespace infra::fuzz {

// Of each byte one character or two, so that paths meet each other soon.
inline std::string take_path(std::string_view& recipe) {
  static constexpr std::string_view kAlphabet[] = {"a",  "b",  "/", "..",       ".",    "main.py", "../",     "a/",
                                                   "\\", "C:", " ", "\xc3\xa9", "\xff", "\x01",    ".infra/", "b/.."};
  std::string path;
  for (std::size_t left = take_byte(recipe) % 12; left > 0; --left) path += kAlphabet[take_byte(recipe) % 16];
  return path;
}

inline testing::ZipEntry take_entry(std::string_view& recipe) {
  static constexpr std::uint32_t kModes[] = {0100644, 0100755, 040755, 0120777, 0, 0104777, 060600, 0140755};
  testing::ZipEntry entry{.name = take_path(recipe)};
  entry.unix_mode = kModes[take_byte(recipe) % 8];
  if ((entry.unix_mode & 0170000) == 0120000) {
    entry.content = take_path(recipe);
  } else {
    const std::size_t bytes = std::size_t{take_byte(recipe)} << (take_byte(recipe) % 12);
    entry.content.assign(bytes, static_cast<char>('a' + bytes % 3));
  }
  const std::uint8_t ways = take_byte(recipe);
  entry.deflated = (ways & 1) == 0;
  entry.streamed = (ways & 2) != 0;
  entry.zip64 = (ways & 4) != 0;
  entry.share_previous_data = (ways & 8) != 0;
  if ((ways & 16) != 0) entry.flags = 0;
  if ((ways & 32) != 0) entry.made_on = 0;
  const std::uint8_t lies = take_byte(recipe);
  if ((lies & 7) == 1) entry.claimed_size = static_cast<std::uint32_t>(entry.content.size()) + 1;
  if ((lies & 7) == 2) entry.claimed_size = static_cast<std::uint32_t>(entry.content.size()) - 1;
  if ((lies & 7) == 3) entry.claimed_size = 0xfffffff0;
  if ((lies & 7) == 4) entry.claimed_crc = 7;
  if ((lies & 7) == 5) entry.claimed_size_in_local_only = 3;
  if ((lies & 7) == 6) entry.method = 9;
  if ((lies & 7) == 7) entry.flags |= 1;  // encrypted
  if ((lies & 8) != 0) entry.dos_attributes = 0x10;
  if ((lies & 16) != 0) entry.extra = std::string("\x75\x70\x05\x00\x01\x02\x03\x04\x05", 9);
  return entry;
}

inline std::string make_zip(std::string_view recipe) {
  testing::ZipBuilder zip;
  const std::uint8_t shape = take_byte(recipe);
  if ((shape & 1) != 0) zip.begin_with("#!/bin/sh\n");
  for (int entries = 0; !recipe.empty() && entries < 24; ++entries) zip.add(take_entry(recipe));
  if ((shape & 2) != 0) zip.with_zip64_record();
  if ((shape & 4) != 0) zip.comment("PK\x05\x06 is how a record begins");
  if ((shape & 8) != 0) zip.claim_entries(static_cast<std::uint16_t>(shape >> 4));
  return zip.bytes() + std::string((shape & 16) != 0 ? 40 : 0, '\0');
}

}  // namespace infra::fuzz
