#include "main/banner.h"

#include <fmt/format.h>

namespace infra {

std::string walk_through(std::uint16_t port, std::string_view key, std::string_view examples) {
  std::string text = fmt::format(R"(
  Infra is ready on http://127.0.0.1:{0}

  In another terminal:

    export INFRA_API_KEY={1}
)",
                                 port, key);
  if (!examples.empty()) {
    text += fmt::format(R"(
    # pack a function and upload it; the answer has its functionId
    (cd {1}/hello-python && zip -qr /tmp/hello.zip .)
    curl -s -H "x-api-key: $INFRA_API_KEY" -F file=@/tmp/hello.zip -F runtime=python http://127.0.0.1:{0}/upload

    # run it
    curl -s -H "x-api-key: $INFRA_API_KEY" -H 'content-type: application/json' \
         -d '{{"functionId":"<functionId>","inputData":{{"name":"Ada"}}}}' http://127.0.0.1:{0}/run

    # read its log
    curl -s -H "x-api-key: $INFRA_API_KEY" http://127.0.0.1:{0}/functions/<functionId>/logs
)",
                        port, examples);
  }
  text += "\n  Ctrl-C stops it; a second Ctrl-C stops it at once.\n\n";
  return text;
}

}  // namespace infra
