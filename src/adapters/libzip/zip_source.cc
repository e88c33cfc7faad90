#include "adapters/libzip/zip_source.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <span>
#include <string>

namespace infra {
namespace {

constexpr std::string_view kRecordSignature{"PK\x05\x06", 4};
// Before a record libzip looks for what ZIP64 has there, behind it for 64 KiB of comment, and in both for more records:
// zeros end that.
constexpr std::size_t kZerosBefore = 20;
constexpr std::size_t kZerosBehind = 64 * 1024;

void put(std::string& out, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i));
}

class ZipSource {
 public:
  ZipSource(Descriptor file, ZipDirectory directory)
      : file_(std::move(file)),
        start_(directory.start),
        data_bytes_(directory.offset),
        tail_(std::move(directory.bytes)) {
    const std::size_t directory_bytes = tail_.size();
    tail_.append(kZerosBefore, '\0');
    tail_ += kRecordSignature;
    put(tail_, 0, 4);  // disks
    put(tail_, directory.entries, 2), put(tail_, directory.entries, 2);
    put(tail_, directory_bytes, 4), put(tail_, directory.offset, 4);
    put(tail_, 0, 2);  // comment
    zip_error_init(&error_);
  }
  ~ZipSource() { zip_error_fini(&error_); }
  ZipSource(const ZipSource&) = delete;
  ZipSource& operator=(const ZipSource&) = delete;

  static zip_int64_t answer(void* self, void* data, zip_uint64_t length, zip_source_cmd_t command) {
    return static_cast<ZipSource*>(self)->answer(data, length, command);
  }

 private:
  [[nodiscard]] std::uint64_t size() const { return data_bytes_ + tail_.size() + kZerosBehind; }

  zip_int64_t answer(void* data, zip_uint64_t length, zip_source_cmd_t command) {
    switch (command) {
      case ZIP_SOURCE_OPEN:
        position_ = 0;
        return 0;
      case ZIP_SOURCE_CLOSE:
        return 0;
      case ZIP_SOURCE_READ:
        return read(std::span(static_cast<char*>(data), length));
      case ZIP_SOURCE_SEEK: {
        const zip_int64_t position = zip_source_seek_compute_offset(position_, size(), data, length, &error_);
        if (position < 0) return -1;
        position_ = static_cast<std::uint64_t>(position);
        return 0;
      }
      case ZIP_SOURCE_TELL:
        return static_cast<zip_int64_t>(position_);
      case ZIP_SOURCE_STAT: {
        if (length < sizeof(zip_stat_t)) return -1;
        auto* info = static_cast<zip_stat_t*>(data);
        zip_stat_init(info);
        info->size = size();
        info->valid = ZIP_STAT_SIZE;
        return sizeof(zip_stat_t);
      }
      case ZIP_SOURCE_ERROR:
        return zip_error_to_data(&error_, data, length);
      case ZIP_SOURCE_FREE:
        delete this;  // libzip owned it
        return 0;
      case ZIP_SOURCE_SUPPORTS:
        return zip_source_make_command_bitmap(ZIP_SOURCE_OPEN, ZIP_SOURCE_CLOSE, ZIP_SOURCE_READ, ZIP_SOURCE_SEEK,
                                              ZIP_SOURCE_TELL, ZIP_SOURCE_STAT, ZIP_SOURCE_ERROR, ZIP_SOURCE_FREE,
                                              ZIP_SOURCE_SUPPORTS, -1);
      default:
        zip_error_set(&error_, ZIP_ER_OPNOTSUPP, 0);
        return -1;
    }
  }

  // As much as comes from one place; libzip asks again for the rest.
  zip_int64_t read(std::span<char> into) {
    if (position_ < data_bytes_) return read_file(into.first(std::min(into.size(), data_bytes_ - position_)));
    const std::uint64_t at = position_ - data_bytes_;
    if (at < tail_.size()) {
      into = into.first(std::min(into.size(), tail_.size() - at));
      std::memcpy(into.data(), tail_.data() + at, into.size());
    } else {
      into = into.first(std::min(into.size(), size() - position_));
      std::ranges::fill(into, '\0');
    }
    position_ += into.size();
    return static_cast<zip_int64_t>(into.size());
  }

  // Small reads (headers, small files) go through a buffer, as they follow one another.
  zip_int64_t read_file(std::span<char> into) {
    const bool is_kept = position_ >= kept_from_ && position_ - kept_from_ < kept_bytes_;
    if (!is_kept && into.size() >= kept_.size()) {
      const zip_int64_t got = read_at(into, position_);
      if (got > 0) position_ += static_cast<std::uint64_t>(got);
      return got;
    }
    if (!is_kept) {
      const zip_int64_t got =
          read_at(std::span(kept_).first(std::min(kept_.size(), data_bytes_ - position_)), position_);
      if (got <= 0) return got;
      kept_from_ = position_;
      kept_bytes_ = static_cast<std::size_t>(got);
    }
    const std::size_t at = position_ - kept_from_;
    into = into.first(std::min(into.size(), kept_bytes_ - at));
    std::memcpy(into.data(), kept_.data() + at, into.size());
    position_ += into.size();
    return static_cast<zip_int64_t>(into.size());
  }

  zip_int64_t read_at(std::span<char> into, std::uint64_t position) {
    while (true) {
      const ssize_t got = ::pread(file_.get(), into.data(), into.size(), static_cast<off_t>(start_ + position));
      if (got >= 0) return got;
      if (errno == EINTR) continue;
      zip_error_set(&error_, ZIP_ER_READ, errno);
      return -1;
    }
  }

  Descriptor file_;
  const std::uint64_t start_;
  const std::uint64_t data_bytes_;
  std::string tail_;
  std::uint64_t position_ = 0;
  std::array<char, 4096> kept_{};
  std::uint64_t kept_from_ = 0;
  std::size_t kept_bytes_ = 0;
  zip_error_t error_{};
};

}  // namespace

zip_source_t* make_zip_source(Descriptor file, ZipDirectory directory) {
  auto source = std::make_unique<ZipSource>(std::move(file), std::move(directory));
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t* made = zip_source_function_create(&ZipSource::answer, source.get(), &error);
  zip_error_fini(&error);
  if (made != nullptr) (void)source.release();
  return made;
}

}  // namespace infra
