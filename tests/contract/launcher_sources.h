// The code of the launcher contract's versions, as real runners load it, and the folders that it lies in.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>

#include "contract/launcher_contract.h"

namespace infra::testing {

inline std::string_view word_for(Does does) {
  switch (does) {
    case Does::echoes:
      return "echoes";
    case Does::prints:
      return "prints";
    case Does::exits:
      return "exits";
    case Does::kills_self:
      return "kills_self";
    case Does::hangs:
      return "hangs";
    case Does::writes:
      return "writes";
  }
  return "";
}

inline std::string python_for(Does does) {
  switch (does) {
    case Does::echoes:
      return "def handler(event, context): return event\n";
    case Does::prints:
      return "import sys\ndef handler(event, context):\n  print('out')\n  print('err', file=sys.stderr)\n";
    case Does::exits:
      return "import os\ndef handler(event, context): os._exit(3)\n";
    case Does::kills_self:
      return "import os\ndef handler(event, context): os.kill(os.getpid(), 9)\n";
    case Does::hangs:
      return "import time\ndef handler(event, context): time.sleep(600)\n";
    case Does::writes:
      return "import os\ndef handler(event, context):\n  for name, text in (('b', '1'), ('a', '22')):\n"
             "    with open(f\"{os.environ['OUTPUT_DIR']}/{name}.txt\", 'w') as file: file.write(text)\n";
  }
  return {};
}

// Gives the version's name.
inline std::string add_version(const std::filesystem::path& versions, Does does, const std::string& source) {
  std::string name(64, static_cast<char>('a' + std::to_underlying(does)));
  std::filesystem::create_directories(versions / name);
  std::ofstream(versions / name / "main.py") << source;
  return name;
}

}  // namespace infra::testing
