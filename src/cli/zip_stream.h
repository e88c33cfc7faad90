// A ZIP that is made while it is sent: nothing of it stands on the disk or as a whole in memory. The same files make
// the same bytes, so that the platform knows code that it has.
#pragma once

#include <zlib.h>

#include <cstdint>
#include <fstream>
#include <span>
#include <string>
#include <vector>

#include "cli/code_folder.h"
#include "cli/failure.h"

namespace infra::cli {

class ZipStream {
 public:
  explicit ZipStream(std::vector<CodeFile> files) : files_(std::move(files)) {}
  ~ZipStream();
  ZipStream(const ZipStream&) = delete;
  ZipStream& operator=(const ZipStream&) = delete;

  // Fills the front of `room`; 0 at the end. A failure names the file that can't be read.
  [[nodiscard]] Outcome<std::size_t> read(std::span<char> room);
  // Of the files, so far.
  [[nodiscard]] std::uint64_t bytes_packed() const { return packed_; }

 private:
  Outcome<void> produce();
  Outcome<void> open_next();
  Outcome<void> pack_piece();
  void end_file();
  void write_directory();

  struct Written {
    std::uint32_t offset = 0;
    std::uint32_t crc = 0;
    std::uint32_t compressed = 0;
    std::uint32_t size = 0;
  };

  std::vector<CodeFile> files_;
  std::vector<Written> written_;  // the last one is being written while `packing_`
  std::string out_;               // made, and not yet read
  std::size_t taken_ = 0;         // of it
  std::uint64_t produced_ = 0;
  std::uint64_t packed_ = 0;
  std::ifstream file_;
  std::string link_;  // the target of the link that is packed
  z_stream deflate_{};
  bool packing_ = false;
  bool ended_ = false;
};

}  // namespace infra::cli
