#include "vendors/render.h"

#include <algorithm>

#include "oci-config/base/files.h"
#include "oci-config/base/text.h"
#include "vendors/renderer.h"
#include "vendors/slice_variables.h"

namespace hami::vendors {

namespace {

// Gates whose variable has one of their values.
std::vector<std::string> open_gates(const Recipe& recipe, const ContainerFacts& facts) {
  std::vector<std::string> open;
  for (const auto& [name, gate] : recipe.gates) {
    const auto value = facts.env.find(gate.env);
    if (value == facts.env.end() || (gate.privileged && !facts.privileged)) continue;
    if (std::find(gate.values.begin(), gate.values.end(), value->second) != gate.values.end())
      open.push_back(name);
  }
  return open;
}

// Where a container of this layout keeps libraries. Source: Debian's multiarch and the FHS's lib64.
void add_container_variables(Variables& variables, const ContainerFacts& facts) {
  variables["ctr.libdir"] =
      facts.debian_layout ? text::cat({"/usr/lib/", variables["host.triplet"]}) : std::string("/usr/lib64");
  variables["ctr.libdir32"] = facts.debian_layout ? "/usr/lib/i386-linux-gnu" : "/usr/lib";
}

oci::EnvEdit::Op to_edit(EnvRule::Op op) {
  switch (op) {
    case EnvRule::Op::set:
      return oci::EnvEdit::Op::set;
    case EnvRule::Op::set_default:
      return oci::EnvEdit::Op::set_default;
    case EnvRule::Op::unset:
      return oci::EnvEdit::Op::unset;
  }
  return oci::EnvEdit::Op::set;
}

Parts first_parts(std::uint32_t count) {
  Parts parts;
  for (std::uint32_t i = 0; i < count; ++i) parts.set(i);
  return parts;
}

template <typename T>
void add_once(std::vector<T>& list, T item) {
  if (std::find(list.begin(), list.end(), item) == list.end()) list.push_back(std::move(item));
}

}  // namespace

Renderer::Renderer(const Recipe& recipe, const Inventory& inventory, const ContainerFacts& facts,
                   const HostDir& driver, const HostDir& dev, const LibraryIndex& libraries,
                   Variables variables)
    : recipe_(recipe),
      inventory_(inventory),
      facts_(facts),
      driver_(driver),
      dev_(dev),
      libraries_(libraries),
      conditions_{{}, open_gates(recipe, facts), facts.privileged, std::move(variables)} {
  add_container_variables(conditions_.variables, facts);
  const auto drivers = files::read(inventory.roots.at("proc") + "/devices", kMaxHostText);
  if (drivers) majors_ = character_majors(*drivers);
}

Result<Rendered> Renderer::run(const std::vector<Slice>& slices, std::vector<std::string> capabilities) {
  conditions_.capabilities = std::move(capabilities);
  std::vector<const Slice*> ordered;
  for (const auto& slice : slices) {
    if (slice.device_index >= inventory_.devices.size())
      return fail(Errc::internal,
                  text::cat({"render ", recipe_.metadata.name, ": a slice of a device that is not there"}));
    ordered.push_back(&slice);
  }
  // Programs number devices in the host's order; limits by ordinal must follow it.
  std::stable_sort(ordered.begin(), ordered.end(),
                   [](const Slice* a, const Slice* b) { return a->device_index < b->device_index; });
  enter_all(ordered);
  for (const auto& item : recipe_.inject) HAMI_CHECK(block(item, ordered));
  HAMI_CHECK(kernel_memory(ordered));
  for (const auto& [name, value] : recipe_.neutralize.env)
    add_once(out_.edits.env, oci::EnvEdit{name, value, oci::EnvEdit::Op::set});
  for (const auto& name : recipe_.neutralize.unset)
    add_once(out_.edits.env, oci::EnvEdit{name, "", oci::EnvEdit::Op::unset});
  out_.edits.drop_hooks = recipe_.neutralize.drop_hooks;
  return std::move(out_);
}

Result<> Renderer::block(const Block& block, const std::vector<const Slice*>& slices) {
  if (block.for_each == ForEach::node) return holds_now(block.when) ? edits(block) : Result<>{};
  const Variables before = conditions_.variables;
  for (std::size_t i = 0; i < slices.size(); ++i) {
    enter(*slices[i], i);
    if (holds_now(block.when)) HAMI_CHECK(edits(block));
    conditions_.variables = before;
  }
  return {};
}

void Renderer::enter(const Slice& slice, std::size_t ordinal) {
  add_slice_variables(conditions_.variables, recipe_.slice, inventory_.devices[slice.device_index], slice,
                      ordinal);
}

void Renderer::enter_all(const std::vector<const Slice*>& slices) {
  std::vector<std::string> indexes;
  std::vector<std::string> ordinals;
  std::vector<std::string> uuids;
  std::vector<std::string> cores;
  std::vector<std::string> masks;
  std::vector<std::string> memory_limits;
  for (const Slice* slice : slices) {
    const Device& device = inventory_.devices[slice->device_index];
    indexes.push_back(text::number(device.index));
    if (slice->memory.value != 0) {
      memory_limits.push_back(
          text::cat({text::number(ordinals.size()), "=", text::number(slice->memory.whole_mib()), "M"}));
    }
    ordinals.push_back(text::number(ordinals.size()));
    uuids.push_back(device.uuid);
    const std::uint32_t steps = core_steps_of(recipe_.slice, device);
    if (slice->parts.any()) masks.push_back(text::cat({ordinals.back(), ":", list_parts(slice->parts)}));
    const Parts parts = slice->parts.any() ? slice->parts : first_parts(steps);
    if (parts.any()) cores.push_back(list_parts(parts, device.index * steps));
  }
  auto& variables = conditions_.variables;
  variables["all.indexes"] = text::join(indexes, ",");
  variables["all.ordinals"] = text::join(ordinals, ",");
  variables["all.uuids"] = text::join(uuids, ",");
  variables["all.memory_limits"] = text::join(memory_limits, ",");
  variables["all.cores"] = text::join(cores, ",");
  variables["all.masks"] = text::join(masks, ";");
}

bool Renderer::holds_now(const Condition& condition) const { return holds(condition, conditions_); }

Result<> Renderer::edits(const Block& block) {
  const auto all = [this](const auto& rules, auto apply) -> Result<> {
    for (const auto& rule : rules) {
      if (holds_now(rule.when)) HAMI_CHECK((this->*apply)(rule));
    }
    return {};
  };
  HAMI_CHECK(all(block.refuse, &Renderer::refusal));
  const std::size_t nodes_before = out_.edits.devices.size();
  HAMI_CHECK(all(block.device_nodes, &Renderer::device_node));
  HAMI_CHECK(needs_node(block, nodes_before));
  HAMI_CHECK(all(block.libraries, &Renderer::library));
  HAMI_CHECK(all(block.binaries, &Renderer::binary));
  HAMI_CHECK(all(block.firmware, &Renderer::firmware));
  HAMI_CHECK(all(block.configs, &Renderer::config));
  HAMI_CHECK(all(block.mounts, &Renderer::mount));
  HAMI_CHECK(all(block.file_lists, &Renderer::file_list));
  HAMI_CHECK(all(block.symlinks, &Renderer::symlink));  // after libraries: it may depend on one
  HAMI_CHECK(all(block.proc_overrides, &Renderer::proc_override));
  HAMI_CHECK(all(block.files, &Renderer::file));
  for (const auto& path : block.preload) {
    HAMI_TRY(auto library, expand(path, conditions_.variables));
    add_once(out_.preload, std::move(library));
  }
  for (const auto& syscall : block.syscalls) add_once(out_.edits.syscalls, syscall);
  return all(block.env, &Renderer::env);
}

Result<> Renderer::refusal(const RefuseRule& rule) {
  return fail(Errc::denied, text::cat({recipe_.metadata.name, ": ", rule.cause}), rule.hint);
}

Result<> Renderer::file(const FileRule& rule) {
  HAMI_TRY(auto path, expand(rule.path, conditions_.variables));
  std::string content;
  for (const auto& template_line : rule.lines) {
    HAMI_TRY(const auto line, expand(template_line, conditions_.variables));
    content += line + "\n";
  }
  add_once(out_.files, ContainerFile{std::move(path), std::move(content)});
  return {};
}

Result<> Renderer::symlink(const SymlinkRule& rule) {
  HAMI_TRY(auto path, expand(rule.path, conditions_.variables));
  HAMI_TRY(auto target, expand(rule.target, conditions_.variables));
  if (!rule.library.empty()) {
    const auto& directories = given_[rule.library];
    const bool here = std::any_of(directories.begin(), directories.end(), [&](const std::string& directory) {
      return path.starts_with(directory + "/");
    });
    if (!here) return {};
  }
  add_once(out_.plan.links, Link{std::move(path), std::move(target)});
  return {};
}

Result<> Renderer::proc_override(const ProcOverrideRule& rule) {
  const std::string host = inventory_.roots.at("proc") + rule.path.substr(std::string_view("/proc").size());
  const auto content = files::read(host, kMaxHostText);
  if (!content) return missing(Need::optional, rule.path);
  for (const auto line : text::split(*content, '\n')) {
    if (line == rule.match) {
      add_once(out_.plan.proc_overrides, ProcOverride{rule.path, rule.match, rule.replace});
      return {};
    }
  }
  return {};  // already as the container must see it
}

Result<> Renderer::env(const EnvRule& rule) {
  HAMI_TRY(auto name, expand(rule.name, conditions_.variables));
  HAMI_TRY(auto value, expand(rule.value, conditions_.variables));
  add_once(out_.edits.env, oci::EnvEdit{std::move(name), std::move(value), to_edit(rule.op)});
  return {};
}

Result<> Renderer::missing(Need need, std::string what, std::string hint) {
  if (need == Need::required) return fail(Errc::not_found, std::move(what), std::move(hint));
  add_once(out_.skipped, std::move(what));
  return {};
}

const SliceTemplate* template_of(const SliceRules& rules, const Device& device, Bytes memory) {
  for (const auto& entry : rules.templates) {
    const bool has_it = entry.models.empty() || std::find(entry.models.begin(), entry.models.end(),
                                                          device.model) != entry.models.end();
    if (has_it && entry.memory == memory) return &entry;
  }
  return nullptr;
}

Result<Rendered> render(const Recipe& recipe, const Inventory& inventory, const std::vector<Slice>& slices,
                        const std::vector<std::string>& capabilities, const ContainerFacts& facts) {
  for (const char* root : {"driver", "dev", "proc"}) {
    if (!inventory.roots.contains(root))
      return fail(Errc::internal,
                  text::cat({"render ", recipe.metadata.name, ": the root '", root, "' is not known"}));
  }
  Variables variables = node_variables(inventory.roots);
  for (const auto& [name, value] : inventory.vars) variables[name] = value;
  HAMI_TRY(const HostDir driver, HostDir::open(inventory.roots.at("driver")));
  HAMI_TRY(const HostDir dev, HostDir::open(inventory.roots.at("dev")));
  HAMI_TRY(const LibraryIndex libraries, library_index(recipe, driver, variables));
  HAMI_TRY(auto chosen, select_capabilities(recipe.capabilities, text::join(capabilities, ",")));
  Renderer renderer(recipe, inventory, facts, driver, dev, libraries, std::move(variables));
  auto rendered = renderer.run(slices, std::move(chosen));
  if (rendered && !libraries.finding().empty()) rendered->skipped.push_back(libraries.finding());
  return rendered;
}

}  // namespace hami::vendors
