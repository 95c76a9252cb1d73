#include "runtime-shim/request/variables.h"

#include <algorithm>

#include "runtime-shim/request/values.h"

namespace hami::shim {

namespace {

std::optional<Word> find(const oci::ContainerView& container, const std::string& name) {
  if (name.empty()) return std::nullopt;
  const auto value = container.env_value(name);
  if (!value || value->empty()) return std::nullopt;
  return Word{std::string(*value), text::cat({"variable ", name})};
}

bool allows(const vendors::Recipe& recipe, vendors::Token token) {
  const auto& tokens = recipe.request.tokens;
  return std::find(tokens.begin(), tokens.end(), token) != tokens.end();
}

// Device ids that a device plugin asks for by binding /dev/null below the vendor's marker directory.
Names marked_devices(const oci::ContainerView& container, const std::string& marker) {
  Names names;
  if (marker.empty()) return names;
  const std::string prefix = marker + "/";
  for (const oci::Mount& mount : container.mounts) {
    if (mount.source != "/dev/null" || mount.destination.rfind(prefix, 0) != 0) continue;
    names.push_back(mount.destination.substr(prefix.size()));
  }
  return names;
}

// "2-5" → 2, 3, 4, 5; nothing when it is no range.
Result<Names> parse_range(std::string_view name, const Word& word, std::uint32_t most) {
  const auto dash = name.find('-');
  if (dash == std::string_view::npos) return Names{};
  const auto first = text::parse_u64(name.substr(0, dash));
  const auto last = text::parse_u64(name.substr(dash + 1));
  if (!first || !last) return Names{};
  if (*first > *last || *last - *first >= most) {
    return fail(Errc::invalid_request,
                text::cat({word.origin, ": ", text::quote(name), " is not a range of at most ",
                           text::number(most), " devices"}),
                "write the lower number first, such as \"0-3\"");
  }
  Names names;
  for (auto number = *first; number <= *last; ++number) names.push_back(text::number(number));
  return names;
}

Result<Selector> parse_selector(const Word& word, const vendors::Recipe& recipe) {
  if (text::lower(word.value) == "all" && allows(recipe, vendors::Token::all))
    return Selector{Selector::Kind::all, {}};
  if (word.value == "none" && allows(recipe, vendors::Token::none)) return Selector{Selector::Kind::none, {}};
  Selector selector{Selector::Kind::named, {}};
  const char separator = recipe.request.separator.empty() ? ',' : recipe.request.separator.front();
  for (const std::string_view part : text::split(word.value, separator)) {
    const std::string_view name = text::trim(part);
    if (name.empty() || selector.names.size() == recipe.request.max) {
      return fail(Errc::invalid_request,
                  text::cat({word.origin, ": ", text::quote(word.value), " is not a list of at most ",
                             text::number(recipe.request.max), " devices"}),
                  "write indexes or uuids, such as \"0,1\"");
    }
    if (allows(recipe, vendors::Token::range)) {
      HAMI_TRY(Names range, parse_range(name, word, recipe.request.max));
      selector.names.insert(selector.names.end(), range.begin(), range.end());
      if (!range.empty()) continue;
    }
    selector.names.emplace_back(name);
  }
  if (selector.names.size() > recipe.request.max) {
    return fail(Errc::invalid_request,
                text::cat({word.origin, " names more than ", text::number(recipe.request.max), " devices"}),
                "name fewer devices");
  }
  return selector;
}

// Reads "<name>" and "<name>_<i>" with `take(word, index or nothing)`.
template <typename Take>
Result<> each_limit(const oci::ContainerView& container, const std::string& name, Take take) {
  if (const auto word = find(container, name)) HAMI_CHECK(take(*word, std::optional<std::uint32_t>{}));
  if (name.empty()) return {};
  for (std::uint32_t i = 0; i < abi::kMaxDevices; ++i) {
    if (const auto word = find(container, text::cat({name, "_", text::number(i)}))) {
      HAMI_CHECK(take(*word, std::optional<std::uint32_t>{i}));
    }
  }
  return {};
}

Result<> read_memory_limits(const oci::ContainerView& container, const std::string& name,
                            VendorRequest& out) {
  // What resource names said before; a variable must not say anything else.
  const auto stated = out.memory;
  return each_limit(container, name, [&](const Word& word, std::optional<std::uint32_t> index) -> Result<> {
    auto bytes = parse_bytes(word.value);
    if (!bytes) return fail(std::move(bytes).error().within(word.origin));
    if (bytes->value == 0) return {};
    if (stated && stated->value != *bytes) return disagreement(stated->origin, word.origin, "memory");
    if (!index) return put(out.memory, *bytes, word.origin, "memory");
    out.memory_of[*index] = {*bytes, word.origin};
    return {};
  });
}

Result<> read_core_limits(const oci::ContainerView& container, const std::string& name, VendorRequest& out) {
  const auto stated = out.cores;
  return each_limit(container, name, [&](const Word& word, std::optional<std::uint32_t> index) -> Result<> {
    HAMI_TRY(const auto number, parse_number(word, 0, 100, "percent", "30"));
    if (number == 0) return {};
    const Percent cores{static_cast<std::uint32_t>(number)};
    if (stated && stated->value != cores) return disagreement(stated->origin, word.origin, "cores");
    if (!index) return put(out.cores, cores, word.origin, "cores");
    out.cores_of[*index] = {cores, word.origin};
    return {};
  });
}

Result<abi::CorePolicy> parse_core_policy(const Word& word) {
  const std::string lowered = text::lower(word.value);
  if (lowered == "default") return abi::CorePolicy::work_conserving;
  if (lowered == "force") return abi::CorePolicy::force;
  if (lowered == "disable") return abi::CorePolicy::disable;
  return fail(Errc::invalid_request,
              text::cat({word.origin, ": ", text::quote(word.value), " is not a policy for the cores"}),
              "write default, force or disable");
}

Result<> read_flag(const oci::ContainerView& container, const std::string& name,
                   std::optional<Stated<bool>>& into) {
  const auto word = find(container, name);
  if (!word) return {};
  HAMI_TRY(const bool on, parse_flag(*word));
  into = {on, word->origin};
  return {};
}

}  // namespace

Result<> read_selector(const oci::ContainerView& container, const vendors::Recipe& recipe,
                       VendorRequest& out) {
  Names marked = marked_devices(container, recipe.request.mount_marker);
  if (!marked.empty()) {
    out.selector = {{Selector::Kind::named, std::move(marked)},
                    text::cat({"the mounts below ", text::quote(recipe.request.mount_marker)})};
    return {};
  }
  for (const std::string& name : recipe.request.env) {
    const auto word = find(container, name);
    if (!word) continue;
    if (word->value == "void" || word->value == recipe.request.mount_marker) return {};
    HAMI_TRY(auto selector, parse_selector(*word, recipe));
    out.selector = {std::move(selector), word->origin};
    return {};
  }
  return {};
}

Result<> read_limit_variables(const oci::ContainerView& container, const vendors::Recipe& recipe,
                              VendorRequest& out) {
  HAMI_CHECK(read_memory_limits(container, recipe.resources.limit_env.memory, out));
  HAMI_CHECK(read_core_limits(container, recipe.resources.limit_env.cores, out));
  return read_mode_variables(container, recipe, out);
}

Result<> read_mode_variables(const oci::ContainerView& container, const vendors::Recipe& recipe,
                             VendorRequest& out) {
  const vendors::LimitVariables& names = recipe.resources.limit_env;
  if (const auto word = find(container, names.priority)) {
    HAMI_TRY(const auto priority, parse_number(*word, 0, INT32_MAX, "", "0"));
    HAMI_CHECK(put(out.priority, static_cast<std::int32_t>(priority), word->origin, "priority"));
  }
  if (const auto word = find(container, names.core_policy)) {
    HAMI_TRY(const auto policy, parse_core_policy(*word));
    out.core_policy = {policy, word->origin};
  }
  HAMI_CHECK(read_flag(container, names.oversubscribe, out.oversubscribe));
  HAMI_CHECK(read_flag(container, names.oom_killer, out.oom_killer));
  if (const auto word = find(container, names.memory_wait)) HAMI_CHECK(take_memory_wait(*word, out));
  const auto control = find(container, recipe.slice.disable_env);
  if (control && is_go_true(control->value)) out.uncontrolled = {true, control->origin};
  return {};
}

}  // namespace hami::shim
