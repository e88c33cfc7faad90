// BundleReader's contract on its adapters.
#include "adapters/libzip/zip_bundle_reader.h"
#include "contract/bundle_reader_contract.h"

namespace infra::testing {
namespace {

struct Zip {
  static std::unique_ptr<BundleReader> make() { return std::make_unique<ZipBundleReader>(); }
};

INSTANTIATE_TYPED_TEST_SUITE_P(Libzip, BundleReaderContract, Zip);

}  // namespace
}  // namespace infra::testing
