// Any bytes as a list of a board's files: an error, or entries that are what recipes may name too.
#include <cstdint>
#include <cstdlib>

#include "vendors/mount_list.h"
#include "vendors/recipe_decoder.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hami::vendors;
  const auto list = parse_mount_list({reinterpret_cast<const char*>(data), size}, "list");
  if (!list) return 0;
  for (const Listed& entry : *list) {
    if (!malformed_path(entry.path).empty() || entry.line == 0) std::abort();
    if (entry.kind == ListedKind::device && !forbidden_device_path(entry.path).empty()) std::abort();
    if (entry.kind != ListedKind::device && !forbidden_host_path(entry.path).empty()) std::abort();
  }
  return 0;
}
