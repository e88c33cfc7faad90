// The names of all objects in the code store. Rights and expiry go by folder (docs/aws.md), so an object of another
// kind is a folder of its own: a row here, and a function that makes its keys.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "core/error.h"
#include "core/ids.h"

namespace infra {

struct ObjectFolder {
  std::string_view name;
  std::string_view holds;
};

namespace object_folders {

inline constexpr ObjectFolder functions{"functions", "bundles: functions/<function>/<upload>.zip"};
inline constexpr ObjectFolder builds{"builds", "compiled programs: builds/<protocol>/<bundle's SHA-256>/<machine>"};
inline constexpr ObjectFolder outputs{"outputs", "output files: outputs/<function>/<request>/<name>"};
inline constexpr ObjectFolder results{"results", "large and asynchronous results: results/<request>.json"};
inline constexpr ObjectFolder payloads{"payloads", "inputs too large for a message: payloads/<request>.json"};

inline constexpr std::array all = {functions, builds, outputs, results, payloads};

}  // namespace object_folders

// `upload` is a UUIDv7: every upload has a key of its own, so that two at once never write one object.
[[nodiscard]] std::string bundle_key(const FunctionId& function, std::string_view upload);
// The `upload` of a key that bundle_key() made; of another's key whatever stands in its place, or nothing.
[[nodiscard]] std::string_view upload_of(std::string_view bundle_key);

// The program that a bundle of this hash was compiled to on a machine (core/executable.h). Deleting the bundle deletes
// it, for every machine in kMachines.
[[nodiscard]] std::string build_key(std::string_view bundle_sha256, std::string_view machine);

// A run's output file; a name that no object may have is hashed: …/_/<SHA-256>. If an id is none of ours, the key may
// be one that every store refuses. A job that is started again has other objects, …/_/<attempt>/…: a worker that lost
// the job can't write over what its successor kept.
[[nodiscard]] std::string output_key(const FunctionId& function, const RequestId& request, std::string_view name,
                                     int attempt = 1);

[[nodiscard]] std::string result_key(const RequestId& request);
[[nodiscard]] std::string payload_key(const RequestId& request);

// Segments of [A-Za-z0-9._-] parted by single slashes, none hidden, 512 bytes at most: so no key climbs out of a
// folder, and none is the name of another's temporary file. Else `invalid` (code invalid_object_key).
[[nodiscard]] Result<void> check_object_key(std::string_view key);

// May a file that a function left be kept under this name? UTF-8 without control characters, 255 bytes at most.
[[nodiscard]] bool is_output_name(std::string_view name);

}  // namespace infra
