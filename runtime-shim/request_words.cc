#include "runtime-shim/request_words.h"

#include <algorithm>
#include <utility>

#include "runtime-shim/pod.h"

namespace hami::shim {

namespace {

// Calls `take` for each of the names that the words have: a current name and its older spellings.
template <typename Take>
Result<> each(const Words& words, const std::vector<std::string>& names, Take take) {
  for (const std::string& name : names) {
    if (const auto word = words.find(name)) HAMI_CHECK(take(*word));
  }
  return {};
}

Result<> read_list(const Words& words, const std::vector<std::string>& names,
                   std::optional<Stated<Names>>& into) {
  return each(words, names, [&](const Word& word) -> Result<> {
    Names list = parse_names(word.value);
    if (list.empty()) return {};  // no constraint, as in HAMi
    return put(into, std::move(list), word.origin, "devices");
  });
}

Result<> read_memory(const Words& words, const vendors::Recipe& recipe, VendorRequest& out) {
  const vendors::MemoryResource& memory = recipe.resources.memory;
  constexpr std::uint64_t kMost = std::uint64_t{1} << 60U;  // bytes; beyond any device
  const std::string unit = to_text(memory.unit);
  HAMI_CHECK(each(words, memory.names, [&](const Word& word) -> Result<> {
    HAMI_TRY(const auto amount,
             parse_number(word, 1, kMost / memory.unit.value,
                          unit == "1MiB" ? "MiB" : text::cat({"units of ", unit}), "3000"));
    return put(out.memory, Bytes{amount * memory.unit.value}, word.origin, "memory");
  }));
  return each(words, recipe.resources.memory_percentage, [&](const Word& word) -> Result<> {
    HAMI_TRY(const auto percent, parse_number(word, 0, 100, "percent", "50"));
    return put(out.memory_percent, Percent{static_cast<std::uint32_t>(percent)}, word.origin, "memory");
  });
}

Result<> read_cores(const Words& words, const vendors::Recipe& recipe, VendorRequest& out) {
  const vendors::CoresResource& cores = recipe.resources.cores;
  return each(words, cores.names, [&](const Word& word) -> Result<> {
    HAMI_TRY(const auto amount, parse_number(word, 0, UINT32_MAX, "parts of the cores", "30"));
    // More than the whole is the whole, as in HAMi.
    const std::uint64_t percent =
        std::min<std::uint64_t>(100, (amount * 100 + cores.whole - 1) / cores.whole);
    return put(out.cores, Percent{static_cast<std::uint32_t>(percent)}, word.origin, "cores");
  });
}

struct PlacementWord {
  std::string_view text;
  Placement placement;
};
constexpr PlacementWord kPlacementWords[] = {{"binpack", Placement::binpack},
                                             {"spread", Placement::spread},
                                             {"numa", Placement::numa},
                                             {"topology-aware", Placement::numa}};

}  // namespace

Words Words::of_annotations(const oci::ContainerView& container) {
  Words words;
  words.values_ = container.annotations;
  words.kind_ = "annotation";
  const std::string name = pod_of(container).container;
  if (!name.empty()) words.suffix_ = ".container." + name;
  return words;
}

Result<Words> Words::of_variable(std::string_view value) {
  Words words;
  words.kind_ = text::cat({"variable ", kResourcesVariable, ":"});
  for (const std::string_view pair : text::split(value, ',')) {
    const auto equals = pair.find('=');
    if (equals == 0 || equals == std::string_view::npos) {
      return fail(Errc::invalid_request,
                  text::cat({"variable ", kResourcesVariable, ": ", text::quote(pair), " is not name=value"}),
                  "write, for example, nvidia.com/gpu=1,nvidia.com/gpumem=3000");
    }
    const auto [existing, added] = words.values_.emplace(pair.substr(0, equals), pair.substr(equals + 1));
    if (added || existing->second == pair.substr(equals + 1)) continue;
    return fail(Errc::invalid_request,
                text::cat({"variable ", kResourcesVariable, " gives ", text::quote(existing->first),
                           " twice, with different values"}),
                "write it once");
  }
  return words;
}

std::optional<Word> Words::find(std::string_view name) const {
  const auto get = [&](const std::string& key) -> std::optional<Word> {
    const auto it = values_.find(key);
    if (it == values_.end()) return std::nullopt;
    return Word{it->second, text::cat({kind_, " ", text::quote(key)})};
  };
  if (!suffix_.empty()) {
    if (auto own = get(text::cat({name, suffix_}))) return own;
  }
  return get(std::string(name));
}

Result<> read_resources(const Words& words, const vendors::Recipe& recipe, VendorRequest& out) {
  const vendors::Resources& names = recipe.resources;
  HAMI_CHECK(each(words, names.count, [&](const Word& word) -> Result<> {
    HAMI_TRY(const auto count, parse_number(word, 0, recipe.request.max, "devices", "1"));
    return put(out.count, static_cast<std::uint32_t>(count), word.origin, "number of devices");
  }));
  HAMI_CHECK(read_memory(words, recipe, out));
  HAMI_CHECK(read_cores(words, recipe, out));
  HAMI_CHECK(each(words, names.priority, [&](const Word& word) -> Result<> {
    HAMI_TRY(const auto priority, parse_number(word, 0, INT32_MAX, "", "0"));
    return put(out.priority, static_cast<std::int32_t>(priority), word.origin, "priority");
  }));
  HAMI_CHECK(read_list(words, names.use_uuid, out.use_uuid));
  HAMI_CHECK(read_list(words, names.nouse_uuid, out.nouse_uuid));
  HAMI_CHECK(read_list(words, names.use_type, out.use_type));
  return read_list(words, names.nouse_type, out.nouse_type);
}

Result<> read_placement(const Words& words, Request& out) {
  const auto word = words.find(kPlacementKey);
  if (!word) return {};
  std::optional<Placement> chosen;
  for (const std::string& part : parse_names(word->value)) {
    if (part == "mutex") {
      out.exclusive = true;
      continue;
    }
    const auto* known = std::find_if(std::begin(kPlacementWords), std::end(kPlacementWords),
                                     [&](const PlacementWord& candidate) { return candidate.text == part; });
    if (known == std::end(kPlacementWords)) {
      return fail(Errc::invalid_request,
                  text::cat({word->origin, ": ", text::quote(part), " is not a scheduler policy"}),
                  "write binpack, spread, numa or mutex");
    }
    // In "binpack,numa" the topology decides first.
    if (chosen != Placement::numa) chosen = known->placement;
  }
  if (!chosen) return {};
  return put(out.placement, *chosen, word->origin, "scheduler policy");
}

std::set<std::string> resource_names(const vendors::Recipe& recipe) {
  const vendors::Resources& names = recipe.resources;
  std::set<std::string> out;
  for (const auto* list :
       {&names.count, &names.memory.names, &names.memory_percentage, &names.cores.names, &names.priority,
        &names.use_uuid, &names.nouse_uuid, &names.use_type, &names.nouse_type}) {
    out.insert(list->begin(), list->end());
  }
  return out;
}

}  // namespace hami::shim
