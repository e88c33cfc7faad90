// What a stranger shows as a named key: read only if it is written again as it came, so that no two texts are one key.
#include <string>

#include "core/api_key.h"
#include "fuzz/target.h"

namespace infra::fuzz {
namespace {

void read_key(std::string_view input) {
  const auto key = parse_api_key(input);
  if (!key) return;
  require(key->id + "." + key->secret == input, "a key is read as it is written");
  require(is_api_key_id(key->id), "its id is one");
  require(!opens(ApiKey{.digest = secret_digest(input)}, key->secret), "a secret opens by itself, not with its id");
}

}  // namespace

INFRA_FUZZ_TARGET(api_key, read_key);

}  // namespace infra::fuzz
