// The recipe loader on any bytes: no crash, and an error always has its place.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "vendors/recipe_yaml.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto recipe = hami::vendors::parse_recipe(text, "f");
  if (!recipe && !recipe.error().message.starts_with("f:")) std::abort();
  return 0;
}
