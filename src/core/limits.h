// Every bound that a client can meet, in one place. Where no source is given, it is the contract's (docs/http-api.md).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace infra::limits {

inline constexpr std::uint64_t kMiB = 1024 * 1024;

// The bundle.
inline constexpr std::uint64_t kMaxPackedBytes = 50 * kMiB;
inline constexpr std::uint64_t kMaxUnpackedBytes = 250 * kMiB;
inline constexpr std::uint64_t kMaxEntries = 10'000;
inline constexpr std::uint64_t kMaxBundlePaths = 2 * kMaxEntries;  // with the folders that paths only imply
inline constexpr std::uint64_t kMaxRatio = 200;
inline constexpr std::ptrdiff_t kMaxBundleDepth = 32;  // folders
inline constexpr std::uint64_t kFolderBytes = 4096;    // what a folder counts as, for that is what it takes on a disk
inline constexpr std::uint64_t kMaxLinkBytes = 1024;   // of a symlink's target

// The function.
inline constexpr int kMinMemoryMb = 128;
inline constexpr int kMaxMemoryMb = 10'240;
inline constexpr int kDefaultMemoryMb = 128;
inline constexpr int kMemoryPerCpuMb = 1769;  // CPU goes with memory in this proportion: AWS Lambda's documented scale
inline constexpr std::chrono::milliseconds kMinTimeout{100};
inline constexpr std::chrono::milliseconds kMaxTimeout{900'000};
inline constexpr std::chrono::milliseconds kDefaultTimeout{300'000};
inline constexpr int kMaxKeepWarm = 16;
inline constexpr int kMaxConcurrency = 1000;
inline constexpr std::size_t kMaxNameBytes = 256;
inline constexpr std::size_t kMaxClaimedName = 64;  // AWS Lambda's bound of a function's name
inline constexpr std::size_t kMaxDescriptionBytes = 4096;
inline constexpr std::size_t kMaxEnvBytes = 32 * 1024;  // names and values together
inline constexpr int kMaxThreadPool = 64;  // of UV_THREADPOOL_SIZE; a sandbox has 128 processes and threads

// A key.
inline constexpr std::size_t kMaxKeys = 1000;
inline constexpr std::size_t kMaxKeyName = 128;  // bytes
inline constexpr std::size_t kMaxKeyFunctions = 100;
inline constexpr int kMaxKeyRate = 1'000'000;               // requests in a window
inline constexpr std::chrono::hours kKeyTombstone{7 * 24};  // how long one that ended is listed
inline constexpr std::chrono::hours kAuditTtl{90 * 24};

// A run.
inline constexpr std::uint64_t kMaxRunBodyBytes = 10 * kMiB;
inline constexpr std::uint64_t kMaxResultBytes = 6 * kMiB;
inline constexpr std::uint64_t kMaxOutputBytes = 1 * kMiB;  // stdout and stderr each
inline constexpr std::size_t kMaxOutputFiles = 20;
inline constexpr std::uint64_t kMaxOutputFileBytes = 10 * kMiB;
inline constexpr std::uint64_t kMaxOutputFilesBytes = 32 * kMiB;  // those of a run together
inline constexpr std::size_t kMaxOutputNameBytes = 255;
inline constexpr int kMaxOutputDepth = 8;  // folders, /output itself among them
inline constexpr std::chrono::seconds kSyncWait{290};
inline constexpr std::chrono::seconds kVisibility{30};
inline constexpr std::chrono::seconds kVisibilityRenewal{10};
inline constexpr int kMaxReceives = 3;  // starts of a job whose worker is lost each time; lost jobs of a version, too
inline constexpr std::chrono::hours kQuarantine{1};
inline constexpr std::chrono::seconds kResultTtl{3600};
inline constexpr std::chrono::hours kLogTtl{30 * 24};
inline constexpr std::size_t kMaxLogMessageBytes = 350'000;  // keeps a DynamoDB item under its 400 KB
inline constexpr std::size_t kListedMessageUnits = 200;      // of UTF-16

}  // namespace infra::limits
