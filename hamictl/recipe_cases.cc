#include "hamictl/recipe_cases.h"

#include <sys/utsname.h>

#include <algorithm>

#include "oci-config/base/text.h"
#include "runtime-shim/plan.h"
#include "vendors/subdevice.h"

namespace hami::hamictl {

namespace {

using Lines = std::vector<std::string>;

oci::ContainerView view_of(const vendors::TestRequest& request) {
  oci::ContainerView view;
  view.has_process = true;
  view.privileged = request.privileged;
  view.annotations = request.annotations;
  for (const auto& [name, value] : request.env) view.env.emplace_back(name, value);
  return view;
}

void add_devices(const oci::ContainerEdits& edits, Lines& lines) {
  for (const auto& device : edits.devices) {
    lines.push_back(
        text::cat({"device ", device.path, " ", text::number(static_cast<std::uint64_t>(device.major)), ":",
                   text::number(static_cast<std::uint64_t>(device.minor)), " ", device.access}));
  }
  for (const auto gid : edits.additional_gids) lines.push_back(text::cat({"group ", text::number(gid)}));
}

void add_env(const oci::ContainerEdits& edits, Lines& lines) {
  for (const auto& env : edits.env) {
    switch (env.op) {
      case oci::EnvEdit::Op::set:
        lines.push_back(text::cat({"env ", env.name, "=", env.value}));
        break;
      case oci::EnvEdit::Op::set_default:
        lines.push_back(text::cat({"env default ", env.name, "=", env.value}));
        break;
      case oci::EnvEdit::Op::unset:
        lines.push_back(text::cat({"env unset ", env.name}));
        break;
    }
  }
}

void add_plan(const shim::Plan& plan, Lines& lines) {
  add_devices(plan.edits, lines);
  for (const auto& mount : plan.edits.mounts) {
    lines.push_back(
        text::cat({"mount ", mount.source, " ", mount.destination, " ", text::join(mount.options, ",")}));
  }
  add_env(plan.edits, lines);
  for (const auto& [name, value] : plan.edits.unified)
    lines.push_back(text::cat({"cgroup ", name, " ", value}));
  for (const auto& hook : plan.edits.drop_hooks) lines.push_back(text::cat({"drop hook ", hook}));
  for (std::size_t i = 0; i < plan.files.size(); ++i) {
    for (const auto line : text::split(plan.files[i], '\n')) {
      if (!line.empty()) lines.push_back(text::cat({"file", text::number(i), ": ", line}));
    }
  }
  for (const auto& link : plan.hook.links) lines.push_back(text::cat({"link ", link.path, " ", link.target}));
  for (const auto& dir : plan.hook.ldcache_dirs) lines.push_back(text::cat({"ldcache ", dir}));
  for (const auto& change : plan.hook.proc_overrides)
    lines.push_back(text::cat({"proc ", change.path, ": ", change.replace}));
}

void add_holdings(const shim::Allocation& allocation, Lines& lines) {
  for (const auto& vendor : allocation.vendors) {
    for (const auto& grant : vendor.grants) {
      const auto& held = grant.holding;
      lines.push_back(text::cat({"holds ", held.device, " ", to_text(held.memory), " ",
                                 text::number(held.cores.value), "%", held.exclusive ? " alone" : ""}));
    }
  }
}

// Steps of a create, without the ledger's files.
class Trial {
 public:
  Trial(const vendors::Recipe& recipe, const RecipeNode& node) : recipe_(recipe), node_(node) {
    config_.roots = node.roots();
    config_.policy.allowed_modes.assign(vendors::kModes.begin(), vendors::kModes.end());
    config_.paths.hook = node.directory() + "/bin/hook";
    config_.paths.libvgpu = node.directory() + "/bin/libvgpu.so";
  }

  // The answer in lines; none: no request.
  Result<Lines> run(const vendors::TestRequest& asked) {
    Lines lines;
    const auto view = view_of(asked);
    if (!shim::may_request(view, config_.policy)) return lines;
    HAMI_TRY(const auto request, shim::parse_request(view, {recipe_}, config_.policy));
    if (!request) return lines;
    HAMI_TRY(auto inventory, vendors::discover(recipe_, config_.roots));
    std::vector<shim::VendorNode> nodes;
    nodes.push_back({recipe_, std::move(inventory)});
    HAMI_TRY(auto allocation, shim::allocate(*request, nodes, leases_, config_.policy));
    const auto& grants = allocation.vendors.front().grants;
    if (!grants.empty() && grants.front().mode)
      nodes.front() = shim::in_mode(std::move(nodes.front()), *grants.front().mode);
    HAMI_CHECK(number_subdevices(nodes.front(), allocation));
    shim::Container container;
    container.key = "container";
    container.dir = node_.directory() + "/run/hami/containers/container";
    container.view = view;
    container.image.has_glibc = true;
    container.image.debian_layout = true;
    HAMI_TRY(const auto plan, shim::make_plan(*request, allocation, nodes, container, config_));
    state::Lease lease;
    for (const auto& vendor : allocation.vendors) {
      for (const auto& grant : vendor.grants) lease.holdings.push_back(grant.holding);
    }
    leases_.push_back(std::move(lease));
    add_holdings(allocation, lines);
    add_plan(plan, lines);
    return lines;
  }

 private:
  // As if the driver had made the slices: the first of a device has the first number, and so on.
  Result<> number_subdevices(const shim::VendorNode& node, shim::Allocation& allocation) const {
    if (node.recipe.slice.subdevice.list.empty()) return {};
    for (auto& grant : allocation.vendors.front().grants) {
      if (!grant.is_slice()) continue;
      HAMI_TRY(const auto plan,
               vendors::plan_subdevice(node.recipe, node.inventory, shim::slice_of(grant), config_.roots));
      grant.subdevice = plan.first + grant.holding.slot;
    }
    return {};
  }

  const vendors::Recipe& recipe_;
  const RecipeNode& node_;
  shim::Config config_;
  std::vector<state::Lease> leases_;
};

void replace_all(std::string& line, const std::string& what, std::string_view by) {
  for (auto at = line.find(what); at != std::string::npos; at = line.find(what, at))
    line.replace(at, what.size(), by);
}

// What differs from machine to machine.
void generalise(const std::string& directory, std::string& line) {
  replace_all(line, directory, "${node}");
  utsname machine{};
  if (::uname(&machine) == 0)
    replace_all(line, text::cat({machine.machine, "-linux-gnu"}), "${host.triplet}");
}

}  // namespace

Lines answer_to(const vendors::Recipe& recipe, const RecipeNode& node, const vendors::TestCase& test) {
  Trial trial(recipe, node);
  Lines answer;
  for (const auto& earlier : test.before) {
    const auto given = trial.run(earlier);
    if (!given) answer.push_back(text::cat({"before: error: ", given.error().line()}));
  }
  auto given = trial.run(test.request);
  if (!given) {
    answer.push_back(text::cat({"error: ", given.error().line()}));
  } else if (given->empty()) {
    answer.emplace_back("nothing");
  } else {
    answer.insert(answer.end(), given->begin(), given->end());
  }
  for (auto& line : answer) generalise(node.directory(), line);
  return answer;
}

std::string verdict(const vendors::TestCase& test, const Lines& answer) {
  const auto any = [&](auto holds) { return std::any_of(answer.begin(), answer.end(), holds); };
  const std::string all = "; it gives:\n    " + text::join(answer, "\n    ");
  const bool failed = any([](const std::string& line) { return line.find("error: ") != std::string::npos; });
  if (test.fails.empty() && failed) return "it is refused" + all;
  if (!test.fails.empty() &&
      !(failed && any([&](const auto& line) { return line.find(test.fails) != std::string::npos; })))
    return text::cat({"no error says ", text::quote(test.fails), all});
  if (test.nothing != any([](const std::string& line) { return line == "nothing"; }))
    return text::cat({test.nothing ? "it is a request" : "it is no request", all});
  for (const auto& wanted : test.gives) {
    if (!any([&](const auto& line) { return line == wanted; }))
      return text::cat({"no line is ", text::quote(wanted), all});
  }
  for (const auto& unwanted : test.lacks) {
    if (any([&](const auto& line) { return line.find(unwanted) != std::string::npos; }))
      return text::cat({"a line has ", text::quote(unwanted), all});
  }
  return {};
}

}  // namespace hami::hamictl
