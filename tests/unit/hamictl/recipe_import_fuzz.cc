// Whatever a platform's definitions say, the overlay that comes out holds resources and nothing else.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "hamictl/recipe_import.h"
#include "vendors/yaml_tree.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto overlay = hami::hamictl::import_resources(text, "f", "card");
  if (!overlay) return 0;
  const auto tree = hami::vendors::yaml::parse(*overlay, "overlay");
  if (!tree || tree->keys.size() != 4 || tree->find("resources") == nullptr) std::abort();
  return 0;
}
