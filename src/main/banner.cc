#include "main/banner.h"

#include <fmt/format.h>

namespace infra {

std::string walk_through(const WalkThrough& told) {
  std::string text = fmt::format(
      "\n  Infra is ready on http://127.0.0.1:{}\n  Open it in a browser for the dashboard; its key: {}\n\n"
      "  Or in another terminal:\n\n",
      told.port, told.key);
  if (!told.command_line_knows)
    text += fmt::format("    export INFRA_URL=http://127.0.0.1:{} INFRA_API_KEY={}\n", told.port, told.key);
  if (told.program != "infra") text += fmt::format("    alias infra={}\n", told.program);
  if (told.examples.empty()) {
    text += "    infra init python hello-python && infra deploy hello-python\n";
  } else {
    text += fmt::format("    infra deploy {}/hello-python\n", told.examples);
  }
  text += fmt::format(R"(    infra invoke hello-python -d '{{"name": "Ada"}}'
    infra logs hello-python

  The same over HTTP:

    export INFRA_API_KEY={1}
    curl -s -H "x-api-key: $INFRA_API_KEY" -H 'content-type: application/json' \
         -d '{{"functionId":"name:hello-python","inputData":{{"name":"Ada"}}}}' http://127.0.0.1:{0}/run
)",
                      told.port, told.key);
  text += "\n  Ctrl-C stops it; a second Ctrl-C stops it at once.\n\n";
  return text;
}

}  // namespace infra
