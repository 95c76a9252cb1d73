// Words are separated by NUL bytes, as in /proc/<pid>/cmdline. Whatever the words, the result points into
// them.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "oci-config/invocation.h"

using namespace hami::oci;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string words(reinterpret_cast<const char*>(data), size);
  std::vector<const char*> argv;
  for (std::size_t at = 0; at < words.size(); at = words.find('\0', at) + 1) {
    argv.push_back(words.c_str() + at);
    if (words.find('\0', at) == std::string::npos) break;
  }

  const Invocation got = parse_invocation(argv);

  for (const auto part : {got.command, got.container_id, got.bundle, got.config, got.root, got.log}) {
    if (part.data() == nullptr) continue;
    require(part.data() >= words.data() && part.data() + part.size() <= words.data() + words.size());
  }
  const bool is_word = std::find(argv.begin(), argv.end(), got.command) != argv.end();
  require(got.subcommand == Subcommand::none ? got.command.empty() : is_word);
  const bool creates = got.command == "create" || got.command == "run" || got.command == "restore";
  require(got.subcommand == Subcommand::none || got.subcommand == Subcommand::other || creates);
  return 0;
}
