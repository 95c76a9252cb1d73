#include "runtime-shim/request/words.h"

#include <algorithm>
#include <utility>

#include "oci-config/base/quantity.h"
#include "runtime-shim/pod/pod.h"

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

// From which number on amounts are in the larger count of a smaller unit: "20480" for 20 GiB in MiB.
std::uint64_t largest_in_unit(const vendors::MemoryResource& memory, const vendors::SliceRules& rules) {
  if (memory.large_unit.value == 0) return UINT64_MAX;
  if (memory.large_above != 0) return memory.large_above;
  Bytes largest;
  for (const vendors::SliceTemplate& entry : rules.templates) largest = std::max(largest, entry.memory);
  return largest.value == 0 ? UINT64_MAX : 2 * largest.value / memory.unit.value;
}

// "16Gi" where the resource allows it, else a number of units.
Result<Bytes> parse_memory(const Word& word, const vendors::MemoryResource& memory,
                           const vendors::SliceRules& rules) {
  constexpr std::uint64_t kMost = std::uint64_t{1} << 60U;  // bytes; beyond any device
  if (memory.suffix && word.value.find_first_not_of("0123456789") != std::string::npos) {
    auto bytes = parse_quantity(word.value);
    if (!bytes) return fail(std::move(bytes).error().within(word.origin));
    // Kubernetes writes 1000 as "1k": a thousand bytes would be nothing, and nothing means everything.
    if (*bytes < memory.unit) {
      return fail(
          Errc::invalid_request,
          text::cat({word.origin, ": ", text::quote(word.value), " is less than ", to_text(memory.unit)}),
          "write the amount with Mi or Gi");
    }
    return *bytes;
  }
  const std::uint64_t most = largest_in_unit(memory, rules);
  if (const auto number = text::parse_u64(word.value); number && *number > most) {
    if (*number > kMost / memory.large_unit.value) {
      return fail(
          Errc::invalid_request,
          text::cat({word.origin, ": ", text::quote(word.value), " is more memory than any device has"}),
          "ask for less");
    }
    const std::uint64_t units =
        (*number * memory.large_unit.value + memory.unit.value - 1) / memory.unit.value;
    return Bytes{units * memory.unit.value};
  }
  const std::string unit = to_text(memory.unit);
  // Where only some sizes exist, nothing is rounded up to the smallest, as in HAMi; elsewhere it says
  // nothing.
  const bool has_smallest = !rules.templates.empty() || !rules.memory_tiers.empty();
  HAMI_TRY(const auto amount, parse_number(word, has_smallest ? 0 : 1, kMost / memory.unit.value,
                                           unit == "1MiB" ? "MiB" : text::cat({"units of ", unit}), "3000"));
  return Bytes{std::max<std::uint64_t>(amount, 1) * memory.unit.value};
}

Result<> read_memory(const Words& words, const vendors::MemoryResource& memory,
                     const vendors::SliceRules& rules, VendorRequest& out) {
  return each(words, memory.names, [&](const Word& word) -> Result<> {
    HAMI_TRY(const auto amount, parse_memory(word, memory, rules));
    return put(out.memory, amount, word.origin, "memory");
  });
}

Result<> read_memory_percentage(const Words& words, const std::vector<std::string>& names,
                                VendorRequest& out) {
  return each(words, names, [&](const Word& word) -> Result<> {
    HAMI_TRY(const auto percent, parse_number(word, 0, 100, "percent", "50"));
    return put(out.memory_percent, Percent{static_cast<std::uint32_t>(percent)}, word.origin, "memory");
  });
}

// "200" where 100 is one device.
Result<> whole_devices(const Word& word, std::uint64_t amount, std::uint32_t whole, VendorRequest& out) {
  if (amount % whole != 0) {
    return fail(Errc::invalid_request,
                text::cat({word.origin, ": ", text::quote(word.value), " is neither below ",
                           text::number(whole), " nor a multiple of it"}),
                "ask for a part of one device, or for whole ones");
  }
  HAMI_CHECK(put(out.count, static_cast<std::uint32_t>(amount / whole), word.origin, "number of devices"));
  return put(out.cores, Percent{100}, word.origin, "cores");
}

// A number that stands for one of the vendor's templates.
Result<> read_size(const Words& words, const vendors::Recipe& recipe, VendorRequest& out) {
  return each(words, recipe.resources.size, [&](const Word& word) -> Result<> {
    HAMI_TRY(const auto size, parse_number(word, 1, 1024, "", "1"));
    return put(out.size, static_cast<std::uint32_t>(size), word.origin, "size");
  });
}

Result<> read_cores(const Words& words, const vendors::CoresResource& cores, VendorRequest& out) {
  return each(words, cores.names, [&](const Word& word) -> Result<> {
    HAMI_TRY(const auto amount,
             parse_number(word, cores.clamp ? 0 : 1, cores.clamp ? UINT32_MAX : cores.whole,
                          cores.whole == 100 ? "percent of the cores" : "parts of the cores", "30"));
    if (cores.parts) return put(out.core_parts, static_cast<std::uint32_t>(amount), word.origin, "cores");
    if (cores.devices && amount >= cores.whole) return whole_devices(word, amount, cores.whole, out);
    // More than the whole is the whole, as in HAMi.
    const std::uint64_t percent =
        std::min<std::uint64_t>(100, (amount * 100 + cores.whole - 1) / cores.whole);
    return put(out.cores, Percent{static_cast<std::uint32_t>(percent)}, word.origin, "cores");
  });
}

Result<> read_count(const Words& words, const std::vector<std::string>& names, std::uint32_t most,
                    VendorRequest& out) {
  return each(words, names, [&](const Word& word) -> Result<> {
    HAMI_TRY(const auto count, parse_number(word, 0, most, "devices", "1"));
    return put(out.count, static_cast<std::uint32_t>(count), word.origin, "number of devices");
  });
}

// Volcano counts memory in blocks where its device plugin does.
vendors::MemoryResource in_blocks(vendors::MemoryResource memory, const Policy& policy) {
  const bool is_volcanos = std::any_of(memory.names.begin(), memory.names.end(),
                                       [](const auto& name) { return name.starts_with("volcano.sh/"); });
  if (is_volcanos) memory.unit.value *= policy.volcano_memory_factor;
  return memory;
}

// The rules that amounts are read by: of the first mode asked for, else the usual ones.
const vendors::SliceRules& rules_for(const vendors::Recipe& recipe, const VendorRequest& request) {
  if (!request.modes) return recipe.slice;
  return recipe.modes.at(std::string(to_text(request.modes->value.front())));
}

// Names that mean one model only, or that have units of their own. The modes asked for are known.
Result<> read_model(const Words& words, const vendors::ModelResources& model, const vendors::Recipe& recipe,
                    const Policy& policy, VendorRequest& out) {
  for (const auto* names : {&model.count, &model.memory.names, &model.cores.names}) {
    HAMI_CHECK(each(words, *names, [&](const Word& word) -> Result<> {
      if (model.model.empty()) return {};
      return put(out.model, model.model, word.origin, "model");
    }));
  }
  ModelLists lists;
  HAMI_CHECK(read_list(words, model.use_uuid, lists.use_uuid));
  HAMI_CHECK(read_list(words, model.nouse_uuid, lists.nouse_uuid));
  if (!model.model.empty() && lists != ModelLists{}) out.lists_of[model.model] = std::move(lists);
  HAMI_CHECK(read_count(words, model.count, recipe.request.max, out));
  HAMI_CHECK(read_memory(words, in_blocks(model.memory, policy), rules_for(recipe, out), out));
  return read_cores(words, model.cores, out);
}

// Words for yes and no as Kubernetes' programs read them.
Result<> read_numa_bind(const Words& words, const std::vector<std::string>& names, VendorRequest& out) {
  constexpr std::string_view kYes[] = {"1", "t", "T", "true", "TRUE", "True"};
  constexpr std::string_view kNo[] = {"0", "f", "F", "false", "FALSE", "False"};
  return each(words, names, [&](const Word& word) -> Result<> {
    const bool yes = std::find(std::begin(kYes), std::end(kYes), word.value) != std::end(kYes);
    if (!yes && std::find(std::begin(kNo), std::end(kNo), word.value) == std::end(kNo)) {
      return fail(Errc::invalid_request,
                  text::cat({word.origin, ": ", text::quote(word.value), " is neither true nor false"}),
                  "write true or false");
    }
    return put(out.numa_bind, yes, word.origin, "NUMA binding");
  });
}

// One mode, or several of which any will do.
Result<> read_modes(const Words& words, const vendors::Recipe& recipe, VendorRequest& out) {
  return each(words, recipe.resources.mode, [&](const Word& word) -> Result<> {
    std::vector<vendors::Mode> modes;
    for (const std::string& name : parse_names(word.value)) {
      const auto mode = vendors::mode_of(name);
      if (!mode || !recipe.modes.contains(name)) {
        Names known;
        for (const auto& [text, rules] : recipe.modes) known.push_back(text);
        return fail(
            Errc::invalid_request,
            text::cat({word.origin, ": ", text::quote(name), " is not a mode of ", out.vendor, " devices"}),
            text::cat({"write one of ", text::join(known, ", ")}));
      }
      if (std::find(modes.begin(), modes.end(), *mode) == modes.end()) modes.push_back(*mode);
    }
    if (modes.empty()) return {};  // no constraint, as in HAMi
    return put(out.modes, std::move(modes), word.origin, "mode");
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

Result<> read_resources(const Words& words, const vendors::Recipe& recipe, const Policy& policy,
                        VendorRequest& out) {
  const vendors::Resources& names = recipe.resources;
  HAMI_CHECK(read_modes(words, recipe, out));
  HAMI_CHECK(read_count(words, names.count, recipe.request.max, out));
  HAMI_CHECK(read_memory(words, names.memory, rules_for(recipe, out), out));
  HAMI_CHECK(read_memory_percentage(words, names.memory_percentage, out));
  HAMI_CHECK(read_cores(words, names.cores, out));
  for (const vendors::ModelResources& model : names.models)
    HAMI_CHECK(read_model(words, model, recipe, policy, out));
  HAMI_CHECK(read_size(words, recipe, out));
  HAMI_CHECK(each(words, names.priority, [&](const Word& word) -> Result<> {
    HAMI_TRY(const auto priority, parse_number(word, 0, INT32_MAX, "", "0"));
    return put(out.priority, static_cast<std::int32_t>(priority), word.origin, "priority");
  }));
  if (const auto word = words.find(kMemoryWaitKey)) HAMI_CHECK(take_memory_wait(*word, out));
  HAMI_CHECK(read_list(words, names.use_uuid, out.use_uuid));
  HAMI_CHECK(read_list(words, names.nouse_uuid, out.nouse_uuid));
  HAMI_CHECK(read_numa_bind(words, names.numa_bind, out));
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
  for (const auto* list : {&names.count, &names.memory.names, &names.memory_percentage, &names.cores.names,
                           &names.size, &names.priority, &names.use_uuid, &names.nouse_uuid, &names.use_type,
                           &names.nouse_type, &names.numa_bind, &names.mode}) {
    out.insert(list->begin(), list->end());
  }
  for (const vendors::ModelResources& model : names.models) {
    for (const auto* list :
         {&model.count, &model.memory.names, &model.cores.names, &model.use_uuid, &model.nouse_uuid})
      out.insert(list->begin(), list->end());
  }
  return out;
}

}  // namespace hami::shim
