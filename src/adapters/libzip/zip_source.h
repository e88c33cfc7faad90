// The stream that libzip reads in place of a file: the archive's data as it lies there, then the directory that was
// read in bounds, then one end record of ours. libzip finds no other, so what it reads is what was checked.
#pragma once

#include <zip.h>

#include <cstdint>

#include "adapters/libzip/descriptor.h"
#include "adapters/libzip/zip_directory.h"

namespace infra {

// Null only if there is no memory. The archive opened from it owns it.
[[nodiscard]] zip_source_t* make_zip_source(Descriptor file, ZipDirectory directory);

}  // namespace infra
