#include "vendors/subdevice.h"

#include "oci-config/base/text.h"
#include "vendors/node.h"
#include "vendors/slice_variables.h"

namespace hami::vendors {

namespace {

class Planner {
 public:
  Planner(const Recipe& recipe, const HostRoots& roots, const HostDir& driver, Variables variables)
      : recipe_(recipe), roots_(roots), driver_(driver), variables_(std::move(variables)) {}

  Result<DriverCommand> command(const DriverCall& call, const char* verb) const {
    DriverCommand out{roots_.probe_program, {}};
    switch (call.kind) {
      case DriverCall::Kind::none:
        return fail(Errc::internal, text::cat({recipe_.metadata.name, ": no call of the driver"}));
      case DriverCall::Kind::write: {
        HAMI_TRY(auto path, expand(call.path, variables_));
        out.arguments = {"write", std::move(path)};
        break;
      }
      case DriverCall::Kind::library: {
        HAMI_TRY(auto library, file(call.names, recipe_.search.libraries, "library"));
        out.arguments = {call.adapter, verb, std::move(library)};
        break;
      }
      case DriverCall::Kind::tool: {
        HAMI_TRY(out.program, file(call.names, recipe_.search.binaries, "program"));
        break;
      }
    }
    for (const auto& argument : call.arguments) {
      HAMI_TRY(auto word, expand(argument, variables_));
      out.arguments.push_back(std::move(word));
    }
    return out;
  }

  [[nodiscard]] const Variables& variables() const { return variables_; }

 private:
  // Host path of the first of these that the node has. What is run or loaded as root must be root's.
  Result<std::string> file(const std::vector<std::string>& names, const std::vector<std::string>& search,
                           std::string_view what) const {
    for (const auto& name : names) {
      for (const auto& text : search) {
        HAMI_TRY(const auto directory, expand(text, variables_));
        const auto found = driver_.find(text::cat({directory, "/", name}));
        if (!found || !S_ISREG(found->info.st_mode)) continue;
        if (is_trusted(found->info)) return found->host_path;
        return fail(Errc::denied,
                    text::cat({"use the ", what, " ", text::quote(found->host_path),
                               ": others than root can change it"}),
                    "make it owned by root and run chmod go-w on it");
      }
    }
    return fail(Errc::not_found,
                text::cat({"find the ", what, " ", text::quote(text::join(names, " or ")),
                           ": not in the root ", text::quote(driver_.directory())}),
                "install the vendor's driver, or ask for whole devices");
  }

  const Recipe& recipe_;
  const HostRoots& roots_;
  const HostDir& driver_;
  Variables variables_;
};

}  // namespace

Result<SubdevicePlan> plan_subdevice(const Recipe& recipe, const Inventory& inventory, const Slice& slice,
                                     const HostRoots& roots) {
  const SubdeviceRules& rules = recipe.slice.subdevice;
  const Device& device = inventory.devices[slice.device_index];
  Variables variables = node_variables(inventory.roots);
  for (const auto& [name, value] : inventory.vars) variables[name] = value;
  add_slice_variables(variables, recipe.slice, device, slice, 0);
  variables["slice.subdevice"] = kSubdeviceNumber;  // stays as it is

  HAMI_TRY(const HostDir driver, HostDir::open(inventory.roots.at("driver")));
  const Planner planner(recipe, roots, driver, std::move(variables));
  SubdevicePlan plan;
  plan.hint = rules.hint;
  plan.count = rules.count;
  HAMI_TRY(plan.list, expand(rules.list, planner.variables()));
  if (rules.count != 0) {
    const auto field = planner.variables().find("dev." + rules.field);
    const auto base = field == planner.variables().end() ? std::nullopt : text::parse_u64(field->second);
    if (!base || *base > UINT16_MAX) {
      return fail(Errc::not_found,
                  text::cat({"number a slice of ", device.uuid, ": its ", rules.field, " is not known"}));
    }
    plan.first = static_cast<std::uint32_t>(*base) * rules.factor + rules.first;
  }
  HAMI_TRY(plan.create, planner.command(rules.create, "create"));
  HAMI_TRY(plan.destroy, planner.command(rules.destroy, "destroy"));
  return plan;
}

}  // namespace hami::vendors
