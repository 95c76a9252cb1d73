// What a create does with recipes and devices, each step by itself, on a node that discovery can look at.
//
//   recipe_speed NODE RECIPES PROBE [RUNS]
//
// NODE is a directory with a driver, device nodes, /proc and /sys as mkfakeroot makes them; RECIPES the
// directory of the recipes; PROBE hami-probe. Prints one JSON line with medians in microseconds: reading all
// recipes as YAML, from the kept copy, finding the devices of the recipe nvidia, and rendering all of them
// for one container.
#include <time.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "vendors/recipe_cache.h"
#include "vendors/recipe_yaml.h"
#include "vendors/render.h"

namespace {

using namespace hami;

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "recipe_speed: %s\n", what.c_str());
  std::exit(1);
}

template <typename T>
T must(Result<T> result) {
  if (!result) die(result.error().line());
  return *std::move(result);
}

double now_us() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
}

double median_of(int runs, const std::function<void()>& step) {
  std::vector<double> times;
  for (int i = 0; i < runs + 3; ++i) {
    const double begin = now_us();
    step();
    if (i >= 3) times.push_back(now_us() - begin);  // the first ones warm up
  }
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

std::vector<vendors::Slice> all_of(const vendors::Inventory& inventory) {
  std::vector<vendors::Slice> slices(inventory.devices.size());
  for (std::uint32_t i = 0; i < slices.size(); ++i) {
    slices[i].device_index = i;
    slices[i].whole = true;
  }
  return slices;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) die("usage: recipe_speed NODE RECIPES PROBE [RUNS]");
  const std::string node = argv[1];
  const std::vector<std::string> directories{argv[2]};
  const int runs = argc > 4 ? std::max(1, std::atoi(argv[4])) : 200;
  const vendors::HostRoots roots{node, node, node + "/proc", node + "/sys", node + "/state", argv[3]};
  const std::string cache = node + "/state/recipes.cache";

  auto recipes = must(vendors::KeptRecipes::load(directories, cache));
  const vendors::Recipe* nvidia = must(recipes.complete("nvidia"));
  if (nvidia == nullptr) die("there is no recipe nvidia");
  const auto inventory = must(vendors::discover(*nvidia, roots));
  const auto slices = all_of(inventory);

  const double yaml = median_of(runs, [&] { must(vendors::load_recipes(directories)); });
  const double kept = median_of(runs, [&] {
    auto again = must(vendors::KeptRecipes::load(directories, cache));
    must(again.complete("nvidia"));
  });
  const double found = median_of(runs, [&] { must(vendors::discover(*nvidia, roots)); });
  const double rendered = median_of(runs, [&] { must(vendors::render(*nvidia, inventory, slices, {}, {})); });
  std::printf(
      "{\"cards\":%zu,\"runs\":%d,\"yaml_us\":%.0f,\"kept_us\":%.0f,\"discovery_us\":%.0f,\"render_us\":%.0f}"
      "\n",
      inventory.devices.size(), runs, yaml, kept, found, rendered);
  return 0;
}
