// What recipes consist of, for pack.h.
#pragma once

#include <string_view>

#include "vendors/pack.h"
#include "vendors/recipe.h"

namespace hami::vendors {

// Changes with every change of a type below.
inline constexpr std::string_view kRecipeFormat = "hami recipes 15\n";

template <typename A>
void members(A& a, Condition::Operand& v) {
  a(v.is_variable, v.value);
}
template <typename A>
void members(A& a, Condition::Step& v) {
  a(v.op, v.left, v.right);
}
template <typename A>
void members(A& a, Condition& v) {
  a(v.text, v.program);
}
template <typename A>
void members(A& a, Metadata& v) {
  a(v.name, v.vendor, v.device_class, v.revision, v.instead_of);
}
template <typename A>
void members(A& a, Root& v) {
  a(v.candidates, v.probe, v.optional);
}
template <typename A>
void members(A& a, Reading& v) {
  a(v.value, v.file, v.link, v.key, v.after, v.directory, v.prefix, v.library_version);
}
template <typename A>
void members(A& a, Variable& v) {
  a(v.type, v.optional, v.from, v.map);
}
template <typename A>
void members(A& a, PciFilter& v) {
  a(v.vendor, v.classes, v.devices, v.drivers, v.attribute, v.values);
}
template <typename A>
void members(A& a, Predicate& v) {
  a(v.kind, v.children, v.pci, v.names, v.path);
}
template <typename A>
void members(A& a, Listing& v) {
  a(v.path, v.pci);
}
template <typename A>
void members(A& a, InstanceTable& v) {
  a(v.each, v.first, v.second, v.fields, v.uuid, v.aliases);
}
template <typename A>
void members(A& a, LibraryProbe& v) {
  a(v.adapter, v.libraries, v.join);
}
template <typename A>
void members(A& a, DeviceTable& v) {
  a(v.each, v.pci, v.also, v.field, v.field_type, v.fields, v.key, v.number, v.order, v.exclude, v.aliases,
    v.instances, v.probe);
}
template <typename A>
void members(A& a, RequestRules& v) {
  a(v.env, v.mount_marker, v.tokens, v.separator, v.unset, v.max);
}
template <typename A>
void members(A& a, Capabilities& v) {
  a(v.env, v.tokens, v.defaults, v.implies, v.all);
}
template <typename A>
void members(A& a, Gate& v) {
  a(v.env, v.values, v.privileged);
}
template <typename A>
void members(A& a, NodeNumbers& v) {
  a(v.drivers, v.kernel_name, v.minor);
}
template <typename A>
void members(A& a, DeviceNodeRule& v) {
  a(v.path, v.host, v.access, v.verify, v.required, v.hint, v.when);
}
template <typename A>
void members(A& a, MountRule& v) {
  a(v.root, v.host, v.path, v.kind, v.options, v.required, v.hint, v.libraries, v.replaces, v.when);
}
template <typename A>
void members(A& a, LibraryRule& v) {
  a(v.names, v.version, v.subdirectory, v.compat32, v.required, v.when);
}
template <typename A>
void members(A& a, BinaryRule& v) {
  a(v.names, v.required, v.when);
}
template <typename A>
void members(A& a, FirmwareRule& v) {
  a(v.pattern, v.search, v.required, v.when);
}
template <typename A>
void members(A& a, ConfigRule& v) {
  a(v.names, v.search, v.destination, v.when);
}
template <typename A>
void members(A& a, FileListRule& v) {
  a(v.directory, v.names, v.when);
}
template <typename A>
void members(A& a, SymlinkRule& v) {
  a(v.path, v.target, v.library, v.when);
}
template <typename A>
void members(A& a, ProcOverrideRule& v) {
  a(v.path, v.match, v.replace, v.when);
}
template <typename A>
void members(A& a, EnvRule& v) {
  a(v.name, v.value, v.op, v.when);
}
template <typename A>
void members(A& a, FileRule& v) {
  a(v.path, v.lines, v.when);
}
template <typename A>
void members(A& a, RefuseRule& v) {
  a(v.cause, v.hint, v.when);
}
template <typename A>
void members(A& a, Block& v) {
  a(v.id, v.for_each, v.when, v.certainty, v.needs_node, v.device_nodes, v.mounts, v.libraries, v.binaries,
    v.firmware, v.configs, v.file_lists, v.symlinks, v.proc_overrides, v.env, v.files, v.preload, v.syscalls,
    v.refuse);
}
template <typename A>
void members(A& a, SearchPaths& v) {
  a(v.libraries, v.libraries32, v.binaries);
}
template <typename A>
void members(A& a, Neutralize& v) {
  a(v.env, v.unset, v.drop_hooks);
}
template <typename A>
void members(A& a, SliceTemplate& v) {
  a(v.name, v.memory, v.cores, v.models, v.size);
}
template <typename A>
void members(A& a, DriverCall& v) {
  a(v.kind, v.adapter, v.names, v.path, v.arguments);
}
template <typename A>
void members(A& a, SubdeviceRules& v) {
  a(v.list, v.field, v.factor, v.first, v.count, v.create, v.destroy, v.hint);
}
template <typename A>
void members(A& a, SliceRules& v) {
  a(v.mechanism, v.enforced, v.memory_unit, v.rounding, v.memory_tiers, v.templates, v.default_cores,
    v.refuses_cores, v.core_steps, v.core_steps_field, v.max_per_device, v.several, v.equal_sizes,
    v.disable_env, v.kernel_memory, v.subdevice);
}
template <typename A>
void members(A& a, MemoryResource& v) {
  a(v.names, v.unit, v.suffix, v.large_unit, v.large_above);
}
template <typename A>
void members(A& a, CoresResource& v) {
  a(v.names, v.whole, v.parts, v.clamp, v.devices);
}
template <typename A>
void members(A& a, ModelResources& v) {
  a(v.model, v.count, v.memory, v.cores, v.use_uuid, v.nouse_uuid, v.group, v.ring);
}
template <typename A>
void members(A& a, LimitVariables& v) {
  a(v.memory, v.cores, v.priority, v.core_policy, v.oversubscribe, v.oom_killer, v.memory_wait);
}
template <typename A>
void members(A& a, Resources& v) {
  a(v.count, v.memory, v.memory_percentage, v.cores, v.size, v.priority, v.use_uuid, v.nouse_uuid, v.use_type,
    v.nouse_type, v.numa_bind, v.mode, v.models, v.limit_env);
}

// What containers can ask for, and whether the recipe is for this node.
template <typename A>
void request_members(A& a, Recipe& v) {
  a(v.metadata, v.request, v.capabilities, v.neutralize, v.slice, v.modes, v.resources, v.support, v.roots,
    v.detect);
}

// How devices are found and given.
template <typename A>
void other_members(A& a, Recipe& v) {
  a(v.vars, v.search, v.devices, v.gates, v.inject, v.update_ldcache);
}

}  // namespace hami::vendors
