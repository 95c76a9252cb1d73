#include "runtime-shim/request/requirement.h"

#include <algorithm>
#include <array>
#include <map>

#include "oci-config/base/text.h"
#include "runtime-shim/request/values.h"

namespace hami::shim {

namespace {

constexpr std::string_view kPrefix = "NVIDIA_REQUIRE_";
// Lists files of Tegra boards in the same form of variable; not about the driver.
constexpr std::string_view kJetpack = "NVIDIA_REQUIRE_JETPACK";

struct Operator {
  std::string_view text;
  Comparison comparison;
};
// The longer ones first.
constexpr std::array<Operator, 6> kOperators{{{">=", Comparison::at_least},
                                              {"<=", Comparison::at_most},
                                              {"!=", Comparison::unequal},
                                              {">", Comparison::greater},
                                              {"<", Comparison::less},
                                              {"=", Comparison::equal}}};

struct Name {
  std::string_view text;
  Property property;
};
constexpr std::array<Name, 4> kNames{{{"cuda", Property::cuda},
                                      {"driver", Property::driver},
                                      {"arch", Property::arch},
                                      {"brand", Property::brand}}};

// First driver branch that serves a CUDA version. Source: CUDA Toolkit release notes, table of drivers.
struct Branch {
  std::uint64_t driver;
  std::string_view cuda;
};
constexpr std::array<Branch, 27> kBranches{
    {{384, "9.0"},  {390, "9.1"},  {396, "9.2"},  {410, "10.0"}, {418, "10.1"}, {440, "10.2"}, {450, "11.0"},
     {455, "11.1"}, {460, "11.2"}, {465, "11.3"}, {470, "11.4"}, {495, "11.5"}, {510, "11.6"}, {515, "11.7"},
     {520, "11.8"}, {525, "12.0"}, {530, "12.1"}, {535, "12.2"}, {545, "12.3"}, {550, "12.4"}, {555, "12.5"},
     {560, "12.6"}, {565, "12.7"}, {570, "12.8"}, {575, "12.9"}, {580, "13.0"}, {590, "13.1"}}};
// The first branch that this table says nothing about.
constexpr std::uint64_t kUnknownBranch = 595;

std::optional<std::string> cuda_of(std::string_view driver) {
  const auto major = text::parse_u64(driver.substr(0, driver.find('.')));
  if (!major || *major < kBranches.front().driver || *major >= kUnknownBranch) return std::nullopt;
  const auto after = std::find_if(kBranches.begin(), kBranches.end(),
                                  [&](const Branch& branch) { return branch.driver > *major; });
  return std::string((after - 1)->cuda);
}

struct Brand {
  std::string_view part;  // of the model, in lower case
  std::string_view brand;
};
// The longer names first: a "GeForce RTX" is no "GeForce".
constexpr std::array<Brand, 11> kBrands{{{"geforce rtx", "geforcertx"},
                                         {"geforce", "geforce"},
                                         {"quadro rtx", "quadrortx"},
                                         {"quadro", "quadro"},
                                         {"titan rtx", "titanrtx"},
                                         {"titan", "titan"},
                                         {"tesla", "tesla"},
                                         {"grid", "grid"},
                                         {"nvs", "nvs"},
                                         {"nvidia rtx", "nvidiartx"},
                                         {"nvidia", "nvidia"}}};

std::optional<std::string> brand_of(const std::string& model) {
  const std::string lowered = text::lower(model);
  for (const Brand& brand : kBrands) {
    if (lowered.find(brand.part) != std::string::npos) return std::string(brand.brand);
  }
  return std::nullopt;
}

// -1, 0, 1; a part that is not there is 0. nullopt: one of them is no version.
std::optional<int> compare_versions(std::string_view a, std::string_view b) {
  const auto left = text::split(a, '.');
  const auto right = text::split(b, '.');
  for (std::size_t i = 0; i < std::max(left.size(), right.size()); ++i) {
    const auto x = i < left.size() ? text::parse_u64(left[i]) : 0;
    const auto y = i < right.size() ? text::parse_u64(right[i]) : 0;
    if (!x || !y) return std::nullopt;
    if (*x != *y) return *x < *y ? -1 : 1;
  }
  return 0;
}

bool holds(Comparison comparison, int order) {
  switch (comparison) {
    case Comparison::equal:
      return order == 0;
    case Comparison::unequal:
      return order != 0;
    case Comparison::less:
      return order < 0;
    case Comparison::at_most:
      return order <= 0;
    case Comparison::greater:
      return order > 0;
    case Comparison::at_least:
      return order >= 0;
  }
  return false;
}

const std::optional<std::string>& fact(const DriverFacts& facts, Property property) {
  switch (property) {
    case Property::cuda:
      return facts.cuda;
    case Property::driver:
      return facts.driver;
    case Property::arch:
      return facts.arch;
    case Property::brand:
      return facts.brand;
  }
  return facts.cuda;
}

bool is_known_not_to_hold(const Condition& condition, const DriverFacts& facts) {
  const auto& known = fact(facts, condition.property);
  if (!known) return false;
  if (condition.property == Property::brand) {
    const bool same = text::lower(condition.value) == *known;
    return condition.comparison == Comparison::equal ? !same : same;
  }
  const auto order = compare_versions(*known, condition.value);
  return order && !holds(condition.comparison, *order);
}

tl::unexpected<Error> bad(std::size_t position, std::string_view piece, std::string_view why) {
  return fail(Errc::invalid_request,
              text::cat({"condition ", text::number(position), ": ", why, " in ", text::quote(piece, 80)}));
}

Result<Condition> parse_condition(std::string_view piece, std::size_t position) {
  const auto at = piece.find_first_of("<>=!");
  if (at == std::string_view::npos) return bad(position, piece, "no comparison");
  const auto op = std::find_if(kOperators.begin(), kOperators.end(), [&](const Operator& candidate) {
    return piece.substr(at, candidate.text.size()) == candidate.text;
  });
  const auto name = std::find_if(kNames.begin(), kNames.end(), [&](const Name& candidate) {
    return candidate.text == piece.substr(0, at);
  });
  if (op == kOperators.end()) return bad(position, piece, "an unknown comparison");
  if (name == kNames.end()) return bad(position, piece, "neither cuda, driver, arch nor brand");
  const std::string_view value = piece.substr(at + op->text.size());
  if (name->property == Property::brand) {
    const bool equality = op->comparison == Comparison::equal || op->comparison == Comparison::unequal;
    if (!equality) return bad(position, piece, "an order of brands");
    if (value.empty() || value.find_first_of("<>=!") != std::string_view::npos)
      return bad(position, piece, "no brand");
  } else if (!compare_versions(value, value)) {
    return bad(position, piece, "no version");
  }
  return Condition{name->property, op->comparison, std::string(value)};
}

std::string describe(const DriverFacts& facts) {
  std::vector<std::string> parts;
  if (facts.driver) parts.push_back("driver " + *facts.driver);
  if (facts.cuda) parts.push_back("CUDA " + *facts.cuda);
  if (facts.brand) parts.push_back("brand " + *facts.brand);
  if (facts.arch) parts.push_back("arch " + *facts.arch);
  return text::join(parts, ", ");
}

struct Stipulation {
  std::string name;  // of the variable
  std::string text;
};

// The last of several variables with one name counts.
std::vector<Stipulation> stipulations(const oci::ContainerView& container) {
  std::map<std::string, std::string> named;
  for (const auto& [name, value] : container.env) {
    if (name.rfind(kPrefix, 0) == 0 && name != kJetpack) named.insert_or_assign(name, value);
  }
  std::vector<Stipulation> out;
  out.reserve(named.size() + 1);  // CUDA_VERSION may follow
  for (auto& [name, value] : named) out.push_back({name, value});
  const auto version = container.env_value("CUDA_VERSION");
  if (named.count("NVIDIA_REQUIRE_CUDA") != 0 || !version) return out;
  const auto parts = text::split(*version, '.');
  if (parts.size() < 2 || !text::parse_u64(parts[0]) || !text::parse_u64(parts[1])) return out;
  out.push_back({"CUDA_VERSION", text::cat({"cuda>=", parts[0], ".", parts[1]})});
  return out;
}

Result<> check(const Stipulation& stipulation, const Requirement& requirement, const DriverFacts& facts) {
  if (is_met(requirement, facts)) return {};
  return fail(Errc::denied,
              text::cat({"variable ", stipulation.name, ": the image needs ", text::quote(stipulation.text),
                         ", but this node has ", describe(facts)}),
              "use an image for this driver, update the driver, or set NVIDIA_DISABLE_REQUIRE=true");
}

}  // namespace

Result<Requirement> parse_requirement(std::string_view text) {
  Requirement out;
  std::size_t position = 0;
  for (const std::string_view alternative : text::split(text, ' ')) {
    if (text::trim(alternative).empty()) continue;
    std::vector<Condition> conditions;
    for (const std::string_view piece : text::split(text::trim(alternative), ',')) {
      HAMI_TRY(auto condition, parse_condition(piece, position++));
      conditions.push_back(std::move(condition));
    }
    out.push_back(std::move(conditions));
  }
  return out;
}

bool is_met(const Requirement& requirement, const DriverFacts& facts) {
  return requirement.empty() ||
         std::any_of(requirement.begin(), requirement.end(), [&](const std::vector<Condition>& alternative) {
           return std::none_of(alternative.begin(), alternative.end(), [&](const Condition& condition) {
             return is_known_not_to_hold(condition, facts);
           });
         });
}

DriverFacts facts_of(const vendors::Inventory& inventory, const vendors::Device* device) {
  DriverFacts facts;
  if (const auto driver = inventory.vars.find("driver.version"); driver != inventory.vars.end()) {
    facts.driver = driver->second;
    facts.cuda = cuda_of(driver->second);
  }
  if (device == nullptr) return facts;
  facts.brand = brand_of(device->model);
  if (const auto arch = device->fields.find("arch"); arch != device->fields.end()) facts.arch = arch->second;
  return facts;
}

Result<> check_requirements(const oci::ContainerView& container, const VendorAllocation& allocation,
                            const VendorNode& node) {
  if (node.recipe.metadata.vendor != "nvidia.com") return {};
  if (is_go_true(container.env_value("NVIDIA_DISABLE_REQUIRE").value_or(""))) return {};
  for (const Stipulation& stipulation : stipulations(container)) {
    auto requirement = parse_requirement(stipulation.text);
    if (!requirement)
      return fail(
          std::move(requirement).error().within(text::cat({"variable ", text::quote(stipulation.name, 60)})));
    if (allocation.grants.empty())
      HAMI_CHECK(check(stipulation, *requirement, facts_of(node.inventory, nullptr)));
    for (const Grant& grant : allocation.grants) {
      const vendors::Device* device = &node.inventory.devices[grant.device];
      HAMI_CHECK(check(stipulation, *requirement, facts_of(node.inventory, device)));
    }
  }
  return {};
}

}  // namespace hami::shim
