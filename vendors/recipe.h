// A vendor's recipe: how its devices are found on a node and what of them a container gets. Data, no code of
// a vendor.
//
// Texts called "template" may hold variables: ${root.<name>} ${host.arch} ${host.triplet} ${host.kernel}
// ${ctr.libdir}
// ${ctr.libdir32}, the recipe's own `vars`, ${dev.<field>} and ${slice.<field>} in blocks made for devices
// and slices. Nothing that the container controls can be a variable. All of it is checked when the recipe is
// loaded.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "oci-config/base/result.h"
#include "oci-config/base/units.h"
#include "vendors/condition.h"
#include "vendors/mode.h"

namespace hami::vendors {

struct Metadata {
  std::string name;          // "nvidia": what overlays extend and leases record
  std::string vendor;        // "nvidia.com" of the CDI kind nvidia.com/gpu
  std::string device_class;  // "gpu" of the same
  std::uint32_t revision = 1;
  std::string instead_of;  // name of the recipe whose place this one takes on nodes that it detects
  friend bool operator==(const Metadata&, const Metadata&) = default;
};

// A directory of the host below which the recipe's files are: the first candidate (template) that holds one
// of the `probe` paths. Roots "driver" and "dev" always exist; without a description they are "/".
struct Root {
  std::vector<std::string> candidates;
  std::vector<std::string> probe;  // relative; empty: the candidate itself must exist
  bool optional = false;           // where none fits, the last candidate is it
  friend bool operator==(const Root&, const Root&) = default;
};

// What a value may look like. Only text that passes its type is used; `text` never becomes part of a path.
enum class ValueType { number, integer, version, bdf, uuid, hex, text };

// One place to read a value from.
struct Reading {
  std::string value;      // template; the value itself, for what a node cannot tell
  std::string file;       // template; a small text file
  std::string link;       // template; a symbolic link, whose target's last component is the value
  std::string key;        // in the file: the line "<key>: value"
  std::string after;      // or: what follows this text
  std::string directory;  // template; the first entry, in order, that begins with `prefix`
  std::string prefix;     // gives the rest of its name
  std::vector<std::string>
      library_version;  // version suffix of the first of these libraries in the driver root
  friend bool operator==(const Reading&, const Reading&) = default;
};

// A value of the node or of a device: the first reading that gives something of the type.
struct Variable {
  ValueType type = ValueType::text;
  bool optional = false;
  std::vector<Reading> from;
  std::map<std::string, std::string> map;  // what was read → the value; others stay as they are
  friend bool operator==(const Variable&, const Variable&) = default;
};

// PCI functions of a vendor. Values as in sysfs ("0x1e3e"); classes are prefixes. Empty lists: any.
struct PciFilter {
  std::string vendor;
  std::vector<std::string> classes;
  std::vector<std::string> devices;
  std::vector<std::string> drivers;  // name of the kernel driver that serves the function
  std::string attribute;  // a file of the function in sysfs, whose text is one of `values`; empty: any
  std::vector<std::string> values;
  friend bool operator==(const PciFilter&, const PciFilter&) = default;
};

// Is the vendor here at all.
struct Predicate {
  enum class Kind { all, any, negate, pci, proc_devices, path };
  Kind kind = Kind::all;
  std::vector<Predicate> children;  // all, any, negate
  PciFilter pci;
  std::vector<std::string> names;  // proc_devices: one of these drivers in /proc/devices
  std::string path;                // template
  friend bool operator==(const Predicate&, const Predicate&) = default;
};

// A pattern of host paths: what '*' in the last component stands for is a device's first field.
struct Listing {
  std::string path;  // template
  PciFilter pci;     // only directories of such PCI functions; an empty vendor: all
  friend bool operator==(const Listing&, const Listing&) = default;
};

// Hardware partitions of a device, which are given like devices: found by two nested patterns at most.
struct InstanceTable {
  std::string each;   // template with ${dev.…} and one '*' in one or two components
  std::string first;  // field that gets what the first '*' stands for
  std::string second;
  std::map<std::string, Variable> fields;
  std::string uuid;                  // template: the identity
  std::vector<std::string> aliases;  // templates
  friend bool operator==(const InstanceTable&, const InstanceTable&) = default;
};

// What a vendor's library is asked, in a process of its own.
struct LibraryProbe {
  std::string adapter;  // shape of the library: "nvml"; empty: none is asked
  std::vector<std::string> libraries;
  // Device field that says which answer belongs to which device: "bdf", "uuid", or one with the number of the
  // device node. Empty: the recipe's only device is the library's, when that has only one.
  std::string join;
  friend bool operator==(const LibraryProbe&, const LibraryProbe&) = default;
};

// How the node's devices are listed. The fields uuid, model, memory, bdf and numa become members of Device.
struct DeviceTable {
  std::string each;           // template whose last component has one '*'
  PciFilter pci;              // of those, only directories of such PCI functions; an empty vendor: all
  std::vector<Listing> also;  // further places of the same field, such as partitions
  std::string field;          // gets what '*' stands for
  ValueType field_type = ValueType::text;
  std::map<std::string, Variable> fields;
  std::string key = "uuid";
  std::string number;                // field whose value is the host index; empty: the position by `order`
  std::string order;                 // field; ascending order is the host index
  Condition exclude;                 // a device for which it holds is left out; no program: none is
  std::vector<std::string> aliases;  // templates of other names a request may use
  InstanceTable instances;           // no pattern: devices are not partitioned
  LibraryProbe probe;
  friend bool operator==(const DeviceTable&, const DeviceTable&) = default;
};

// One way of naming devices in a request.
enum class Token { all, none, void_, index, uuid, alias, range };

// What a container that names no device of this vendor gets.
enum class Unset { noop, all, error };

// The vendor's own way to ask for devices.
struct RequestRules {
  std::vector<std::string> env;  // selector variables, the first that is set counts: NVIDIA_VISIBLE_DEVICES
  std::string
      mount_marker;  // container directory; /dev/null bound to <dir>/<id> asks for a device. May be empty
  std::vector<Token> tokens;
  std::string separator = ",";
  Unset unset = Unset::noop;
  std::uint32_t max = 64;  // devices in one request
  friend bool operator==(const RequestRules&, const RequestRules&) = default;
};

// Groups of driver files a container may choose from.
struct Capabilities {
  std::string env;  // NVIDIA_DRIVER_CAPABILITIES
  std::vector<std::string> tokens;
  std::vector<std::string> defaults;
  std::map<std::string, std::vector<std::string>> implies;
  std::string all = "all";  // the token that stands for every one
  friend bool operator==(const Capabilities&, const Capabilities&) = default;
};

// An optional feature the container's environment switches on.
struct Gate {
  std::string env;
  std::vector<std::string> values;
  bool privileged = false;  // counts only in a privileged container
  friend bool operator==(const Gate&, const Gate&) = default;
};

// Numbers the host's node must have: the major of one of the drivers in /proc/devices, or numbers for which
// the kernel itself has the node's name (/sys/dev/char/<major>:<minor>/uevent). One of the two must hold.
struct NodeNumbers {
  std::vector<std::string> drivers;
  bool kernel_name = false;
  std::string minor;  // template; empty: any
  friend bool operator==(const NodeNumbers&, const NodeNumbers&) = default;
};

struct DeviceNodeRule {
  // Template; below the root "dev" on the host, the same in the container. With a '*' in the last component:
  // every node that matches.
  std::string path;
  std::vector<std::string> host;  // templates; the first that is there, when its name on the host is another
  std::string access = "rw";
  NodeNumbers verify;
  bool required = false;
  std::string hint;  // what to do on the node when a required one is missing
  Condition when;
  friend bool operator==(const DeviceNodeRule&, const DeviceNodeRule&) = default;
};

enum class FileKind { file, directory, socket };

struct MountRule {
  std::string root = "driver";
  std::string host;  // template, below the root
  std::string path;  // template, in the container; empty: the same as `host`
  FileKind kind = FileKind::file;
  std::vector<std::string> options;
  bool required = false;
  std::string hint;        // what to do on the node when a required one is missing
  bool libraries = false;  // a directory of libraries that the container's loader must know
  bool replaces = false;   // what the container has at this place gives way
  Condition when;
  friend bool operator==(const MountRule&, const MountRule&) = default;
};

// Which of the driver's libraries. Mounted is the regular file with the version in its name; the names the
// loader and programs look for become links in the container.
struct LibraryRule {
  std::vector<std::string> names;  // "libcuda": libcuda.so.<version>
  std::string version;             // template; empty: whatever version the host has
  std::string subdirectory;        // of the library directory, on the host and in the container; mostly empty
  bool compat32 = false;           // the 32-bit files
  bool required = false;
  Condition when;
  friend bool operator==(const LibraryRule&, const LibraryRule&) = default;
};

struct BinaryRule {
  std::vector<std::string> names;
  bool required = false;
  Condition when;
  friend bool operator==(const BinaryRule&, const BinaryRule&) = default;
};

// Files below a firmware directory of the host: "nvidia/550.90.07/gsp*.bin".
struct FirmwareRule {
  std::string pattern;              // template; '*' in the last component
  std::vector<std::string> search;  // templates of directories; the first that has a match counts
  bool required = false;
  Condition when;
  friend bool operator==(const FirmwareRule&, const FirmwareRule&) = default;
};

struct ConfigRule {
  std::vector<std::string> names;   // relative, may have directories
  std::vector<std::string> search;  // directories in the driver root, first match counts
  std::string destination;          // directory in the container
  Condition when;
  friend bool operator==(const ConfigRule&, const ConfigRule&) = default;
};

// Lists that the node keeps of what belongs to its devices; see mount_list.h.
struct FileListRule {
  std::string directory;           // below the driver root
  std::vector<std::string> names;  // of files there; those that are missing are left out
  Condition when;
  friend bool operator==(const FileListRule&, const FileListRule&) = default;
};

struct SymlinkRule {
  std::string path;     // template, in the container
  std::string target;   // template
  std::string library;  // only when this library was given ("libcuda"); empty: always
  Condition when;
  friend bool operator==(const SymlinkRule&, const SymlinkRule&) = default;
};

struct ProcOverrideRule {
  std::string path;     // below /proc
  std::string match;    // a whole line
  std::string replace;  // what the container sees instead
  Condition when;
  friend bool operator==(const ProcOverrideRule&, const ProcOverrideRule&) = default;
};

struct EnvRule {
  enum class Op { set, set_default, unset };
  std::string name;   // template
  std::string value;  // template
  Op op = Op::set;
  Condition when;
  friend bool operator==(const EnvRule&, const EnvRule&) = default;
};

// A small file made for one container, bound read-only.
struct FileRule {
  std::string path;                // template, in the container
  std::vector<std::string> lines;  // templates
  Condition when;
  friend bool operator==(const FileRule&, const FileRule&) = default;
};

// A condition under which nothing is given, with the reason.
struct RefuseRule {
  std::string cause;
  std::string hint;
  Condition when;
  friend bool operator==(const RefuseRule&, const RefuseRule&) = default;
};

enum class ForEach { node, device, slice };

// Where a fact comes from. What is only reported or inferred must be optional: a node that knows better says
// so with an overlay.
enum class Certainty { source, reported, inferred };

// Edits that belong together. An overlay replaces a block by its id.
struct Block {
  std::string id;
  ForEach for_each = ForEach::node;
  Condition when;
  Certainty certainty = Certainty::source;
  bool needs_node = false;  // of its device nodes at least one must be there
  std::vector<DeviceNodeRule> device_nodes;
  std::vector<MountRule> mounts;
  std::vector<LibraryRule> libraries;
  std::vector<BinaryRule> binaries;
  std::vector<FirmwareRule> firmware;
  std::vector<ConfigRule> configs;
  std::vector<FileListRule> file_lists;
  std::vector<SymlinkRule> symlinks;
  std::vector<ProcOverrideRule> proc_overrides;
  std::vector<EnvRule> env;
  std::vector<FileRule> files;
  std::vector<std::string> preload;   // container paths of libraries that every program loads first
  std::vector<std::string> syscalls;  // that its programs need, and that a container's filter may forbid
  std::vector<RefuseRule> refuse;
  friend bool operator==(const Block&, const Block&) = default;
};

// Where libraries and programs of the driver are, besides the loader's cache.
struct SearchPaths {
  std::vector<std::string> libraries;    // templates, below the root "driver"
  std::vector<std::string> libraries32;  // templates
  std::vector<std::string> binaries;
  friend bool operator==(const SearchPaths&, const SearchPaths&) = default;
};

// Keeps the vendor's own runtime quiet, so that devices are not given twice.
struct Neutralize {
  std::map<std::string, std::string> env;
  std::vector<std::string> unset;
  std::vector<std::string> drop_hooks;  // base names of programs
  friend bool operator==(const Neutralize&, const Neutralize&) = default;
};

// What holds a container to its part of a device.
enum class SliceMechanism {
  none,     // devices cannot be divided
  preload,  // our own library in the container
  vendor,   // the vendor's driver or libraries, told by the slice's device nodes, variables and files
};

enum class Rounding { up, down, exact };

// A size in which the driver makes slices.
struct SliceTemplate {
  std::string name;  // "vir05_1c_16g"
  Bytes memory;
  Percent cores;
  std::vector<std::string> models;  // exact models that have it; empty: all
  std::uint32_t size = 0;           // what a request for this very size says; 0: it has no such number
  friend bool operator==(const SliceTemplate&, const SliceTemplate&) = default;
};

// One thing that the vendor's driver is told to do, by a short-lived process of its own.
struct DriverCall {
  enum class Kind { none, library, write, tool };
  Kind kind = Kind::none;
  std::string adapter;                 // library: its shape: "dcmi", "cndev"
  std::vector<std::string> names;      // library, tool: file names, the first that the node has
  std::string path;                    // write: template of a host path
  std::vector<std::string> arguments;  // templates; write: one, which is what is written
  friend bool operator==(const DriverCall&, const DriverCall&) = default;
};

// A slice that the driver makes before the container starts and destroys after it: a subdevice, known by a
// number. In `destroy`, and in `create` when we choose the number, ${slice.subdevice} is that number.
struct SubdeviceRules {
  std::string list;  // template of a host path; '*' is the number of a subdevice that is there
  // The numbers we choose from: the device's field × factor + first, and so many from there. No count: the
  // driver chooses.
  std::string field;
  std::uint32_t factor = 0;
  std::uint32_t first = 0;
  std::uint32_t count = 0;
  DriverCall create;
  DriverCall destroy;
  std::string hint;  // what to do on the node when the driver makes none
  friend bool operator==(const SubdeviceRules&, const SubdeviceRules&) = default;
};

// How a part of a device is made.
// What becomes of a container's request for parts of several devices.
enum class SeveralDevices {
  sliced,   // a part of each
  whole,    // all of each: the vendor's schedulers understand it so
  refused,  // the vendor knows a part of one device only
};

struct SliceRules {
  SliceMechanism mechanism = SliceMechanism::none;
  bool enforced = true;               // false: a program that does not play along is not held
  Bytes memory_unit = Bytes::mib(1);  // limits are multiples of it
  Rounding rounding = Rounding::up;   // of limits that are not
  std::vector<Bytes> memory_tiers;    // ascending; limits are one of these
  std::vector<SliceTemplate> templates;
  Percent default_cores;       // of a request that names only memory
  bool refuses_cores = false;  // a request may not name a part of the compute
  // The device has so many equal parts of compute, and a slice has some of them for itself; 0: percent. The
  // field of the device that says how many counts before the number.
  std::uint32_t core_steps = 0;
  std::string core_steps_field;
  std::uint32_t max_per_device = 0;  // 0: no bound of the vendor's
  SeveralDevices several = SeveralDevices::sliced;
  bool equal_sizes = false;   // all slices of a device have the same memory
  std::string disable_env;    // a container asks with it to be left uncontrolled; policy decides
  std::string kernel_memory;  // template of the regions of the cgroup controller dmem; may end with '*'
  SubdeviceRules subdevice;   // no list: the driver makes nothing
  friend bool operator==(const SliceRules&, const SliceRules&) = default;
};

// The resource names of one quantity; the first is the current one, others are older spellings.
struct MemoryResource {
  std::vector<std::string> names;
  Bytes unit = Bytes::mib(1);  // what 1 means
  bool suffix = false;         // "16Gi" is understood too
  // Numbers above `large_above` are in this unit instead, 0: there are none. Without a bound it is twice the
  // largest template.
  Bytes large_unit{};
  std::uint32_t large_above = 0;
  friend bool operator==(const MemoryResource&, const MemoryResource&) = default;
};

struct CoresResource {
  std::vector<std::string> names;
  std::uint32_t whole = 100;  // the amount that means the whole device
  bool parts = false;         // amounts are numbers of the device's parts of compute (SliceRules::core_steps)
  bool clamp = true;          // more than `whole` is the whole; else only 1 to `whole` can be asked for
  bool devices = false;       // from `whole` on, amounts are multiples of it and numbers of whole devices
  friend bool operator==(const CoresResource&, const CoresResource&) = default;
};

// Variables with which HAMi-core's users set limits; "<name>_<i>" is the limit of the container's i-th
// device.
struct LimitVariables {
  std::string memory;
  std::string cores;
  std::string priority;
  std::string core_policy;
  std::string oversubscribe;
  std::string oom_killer;
  std::string memory_wait;
  friend bool operator==(const LimitVariables&, const LimitVariables&) = default;
};

// Resource names that mean one model of device only, or further names with units of their own.
struct ModelResources {
  std::string model;  // Device::model, exactly; empty: any
  std::vector<std::string> count;
  MemoryResource memory;
  CoresResource cores;
  // Whole devices of this model come in groups of so many, which are neighbours on one module: their numbers
  // divided by this are the same. One device means one group.
  std::uint32_t group = 1;
  // Devices whose numbers divided by this are the same are one ring of the board; 0: it has none.
  std::uint32_t ring = 0;
  // Lists that allow and deny devices of this model, and say nothing of others.
  std::vector<std::string> use_uuid{};
  std::vector<std::string> nouse_uuid{};
  friend bool operator==(const ModelResources&, const ModelResources&) = default;
};

// The words users ask with: names of Pod limits, and annotations that allow and deny devices.
struct Resources {
  std::vector<std::string> count;
  MemoryResource memory;
  std::vector<std::string> memory_percentage;
  CoresResource cores;
  std::vector<std::string> size;  // a number that stands for a template: SliceTemplate::size
  std::vector<std::string> priority;
  std::vector<std::string> use_uuid;
  std::vector<std::string> nouse_uuid;
  std::vector<std::string> use_type;
  std::vector<std::string> nouse_type;
  std::vector<std::string> numa_bind;  // several devices of one NUMA node, or none
  std::vector<std::string> mode;
  std::vector<ModelResources> models;
  LimitVariables limit_env;
  friend bool operator==(const Resources&, const Resources&) = default;
};

struct Recipe {
  Metadata metadata;
  std::map<std::string, Root> roots;
  std::map<std::string, Variable> vars;
  SearchPaths search;
  std::optional<Predicate> detect;
  DeviceTable devices;
  RequestRules request;
  Capabilities capabilities;
  std::map<std::string, Gate> gates;
  std::vector<Block> inject;
  bool update_ldcache = false;  // the container's loader cache must know the given libraries
  Neutralize neutralize;
  SliceRules slice;
  std::map<std::string, SliceRules> modes;  // those that requests may choose by name, with their rules
  Resources resources;
  std::map<std::string, Certainty> support;  // ability ("whole", "slice", …) → where its facts come from

  // This mode is what a request has that names none.
  [[nodiscard]] bool is_usual(Mode mode) const;
  // The block with this id; null when there is none.
  [[nodiscard]] const Block* block(std::string_view id) const;
  friend bool operator==(const Recipe&, const Recipe&) = default;
};

// The capabilities named in `text` ("utility,compute", "all"), each once, in the recipe's order, with what
// they imply. Empty text gives the default. Fails with invalid_request on a token the recipe does not have.
[[nodiscard]] Result<std::vector<std::string>> select_capabilities(const Capabilities& capabilities,
                                                                   std::string_view text);

}  // namespace hami::vendors
