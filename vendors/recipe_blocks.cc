// The inject blocks of a recipe.
#include <algorithm>

#include "oci-config/base/text.h"
#include "oci-config/edits.h"
#include "vendors/recipe_decoder.h"

namespace hami::vendors {

namespace {

using enum Decoder::Presence;

// Mount options a recipe may use. Source: mount(8) and the runtime-spec's list.
constexpr std::string_view kMountOptions[] = {"ro",    "rw",      "nosuid",   "nodev",  "noexec",     "bind",
                                              "rbind", "private", "rprivate", "rslave", "nosymfollow"};

}  // namespace

Decoder::Field Decoder::when(Condition& out) {
  return {"when", [this, &out](const yaml::Node& n) { condition(n, out, block_scope_); }, optional};
}

void Decoder::inject(const yaml::Node& node, const Recipe& recipe, std::vector<Block>& out) {
  if (error_) return;
  if (node.kind != yaml::Node::Kind::list) return refuse(node.at, "expected a list of blocks");
  known_gates_.clear();
  for (const auto& [name, gate] : recipe.gates) known_gates_.push_back(name);
  std::vector<std::string> seen;
  for (const auto& item : node.children) {
    Block read;
    block(item, recipe, read);
    if (error_) return;
    if (std::find(seen.begin(), seen.end(), read.id) != seen.end()) {
      return refuse(item.at, text::cat({"the block ", text::quote(read.id, 60), " is there twice"}));
    }
    seen.push_back(read.id);
    const auto same = std::find_if(out.begin(), out.end(), [&](const Block& b) { return b.id == read.id; });
    if (same != out.end()) {
      *same = std::move(read);
    } else {
      out.push_back(std::move(read));
    }
  }
}

void Decoder::block(const yaml::Node& node, const Recipe& recipe, Block& out) {
  block_scope_ = node_scope(recipe);
  object(
      node,
      {
          {"id", [&](const auto& n) { word(n, out.id); }, required},
          {"for",
           [&](const auto& n) {
             choice<ForEach>(
                 n, out.for_each,
                 {{"node", ForEach::node}, {"device", ForEach::device}, {"slice", ForEach::slice}});
             if (out.for_each == ForEach::device) block_scope_ = device_scope(recipe);
             if (out.for_each == ForEach::slice) block_scope_ = slice_scope(recipe);
           }},
          // After `for`, which says what the edits may refer to.
          {"when", [&](const auto& n) { condition(n, out.when, block_scope_); }},
          {"deviceNode",
           [&](const auto& n) {
             each(n, out.device_nodes, [&](const auto& i, auto& o) { device_node(i, o); });
           }},
          {"mount",
           [&](const auto& n) { each(n, out.mounts, [&](const auto& i, auto& o) { mount(i, o); }); }},
          {"library",
           [&](const auto& n) { each(n, out.libraries, [&](const auto& i, auto& o) { library(i, o); }); }},
          {"binary",
           [&](const auto& n) { each(n, out.binaries, [&](const auto& i, auto& o) { binary(i, o); }); }},
          {"firmware",
           [&](const auto& n) { each(n, out.firmware, [&](const auto& i, auto& o) { firmware(i, o); }); }},
          {"config",
           [&](const auto& n) { each(n, out.configs, [&](const auto& i, auto& o) { config(i, o); }); }},
          {"fileList",
           [&](const auto& n) { each(n, out.file_lists, [&](const auto& i, auto& o) { file_list(i, o); }); }},
          {"symlink",
           [&](const auto& n) { each(n, out.symlinks, [&](const auto& i, auto& o) { symlink(i, o); }); }},
          {"procOverride",
           [&](const auto& n) {
             each(n, out.proc_overrides, [&](const auto& i, auto& o) { proc_override(i, o); });
           }},
          {"env", [&](const auto& n) { each(n, out.env, [&](const auto& i, auto& o) { env(i, o); }); }},
          {"file", [&](const auto& n) { each(n, out.files, [&](const auto& i, auto& o) { file(i, o); }); }},
          {"preload", [&](const auto& n) { templates(n, out.preload, block_scope_, Use::container_path); }},
          {"syscalls", [&](const auto& n) { syscalls(n, out.syscalls); }},
          {"refuse",
           [&](const auto& n) { each(n, out.refuse, [&](const auto& i, auto& o) { refusal(i, o); }); }},
          {"certainty", [&](const auto& n) { certainty(n, out.certainty); }},
          {"needsNode", [&](const auto& n) { boolean(n, out.needs_node); }},
      });
  if (error_ || out.certainty == Certainty::source) return;
  const auto is_required = [](const auto& rule) { return rule.required; };
  if (std::any_of(out.device_nodes.begin(), out.device_nodes.end(), is_required) ||
      std::any_of(out.mounts.begin(), out.mounts.end(), is_required) ||
      std::any_of(out.libraries.begin(), out.libraries.end(), is_required)) {
    refuse(node.at, "what is only reported cannot be required", "use needsNode, or certainty: source");
  }
}

void Decoder::certainty(const yaml::Node& node, Certainty& out) {
  choice<Certainty>(
      node, out,
      {{"source", Certainty::source}, {"reported", Certainty::reported}, {"inferred", Certainty::inferred}});
}

// Source: the names of libseccomp, which runtimes give it.
void Decoder::syscalls(const yaml::Node& node, std::vector<std::string>& out) {
  words(node, out);
  for (const std::string& name : out) {
    if (!error_ && !oci::is_syscall_name(name))
      refuse(node.at, text::cat({text::quote(name, 60), " is not the name of a system call"}));
  }
}

void Decoder::file(const yaml::Node& node, FileRule& out) {
  object(node,
         {
             {"path", [&](const auto& n) { template_text(n, out.path, block_scope_, Use::container_path); },
              required},
             {"lines", [&](const auto& n) { templates(n, out.lines, block_scope_, Use::text); }, required},
             when(out.when),
         });
}

void Decoder::refusal(const yaml::Node& node, RefuseRule& out) {
  object(node, {
                   {"cause", [&](const auto& n) { string(n, out.cause); }, required},
                   {"hint", [&](const auto& n) { string(n, out.hint); }},
                   {"when", [&](const auto& n) { condition(n, out.when, block_scope_); }, required},
               });
}

void Decoder::device_path(const yaml::Node& node, std::string& out) {
  template_text(node, out, block_scope_, Use::container_path);
  if (const auto why = forbidden_device_path(out); !error_ && !why.empty())
    refuse(node.at, text::cat({text::quote(out), " ", why}));
}

void Decoder::device_node(const yaml::Node& node, DeviceNodeRule& out) {
  object(node, {
                   {"path",
                    [&](const auto& n) {
                      device_path(n, out.path);
                      const auto star = out.path.find('*');
                      if (!error_ && star != std::string::npos && star < out.path.rfind('/'))
                        refuse(n.at, "'*' is for the last component only");
                    },
                    required},
                   {"host",
                    [&](const auto& n) {
                      out.host.clear();
                      each(n, out.host, [&](const auto& i, std::string& path) { device_path(i, path); });
                    }},
                   {"access",
                    [&](const auto& n) {
                      choice<std::string>(n, out.access, {{"r", "r"}, {"rw", "rw"}, {"rwm", "rwm"}});
                    }},
                   {"verify",
                    [&](const auto& n) {
                      object(n, {{"driver", [&](const auto& v) { words(v, out.verify.drivers); }},
                                 {"kernelName", [&](const auto& v) { boolean(v, out.verify.kernel_name); }},
                                 {"minor", [&](const auto& v) {
                                    template_text(v, out.verify.minor, block_scope_, Use::relative_path);
                                  }}});
                      if (!error_ && out.verify.drivers.empty() && !out.verify.kernel_name)
                        refuse(n.at, "the key 'driver' is missing", "or write kernelName: true");
                    },
                    required},
                   {"hint", [&](const auto& n) { string(n, out.hint); }},
                   {"required", [&](const auto& n) { boolean(n, out.required); }},
                   when(out.when),
               });
}

void Decoder::mount(const yaml::Node& node, MountRule& out) {
  object(node,
         {
             {"root",
              [&](const auto& n) {
                word(n, out.root);
                if (!error_ && !block_scope_.contains("root." + out.root))
                  refuse(n.at, text::cat({"unknown root ", text::quote(out.root, 60)}));
                if (!error_ && (out.root == "proc" || out.root == "sys"))
                  refuse(n.at, "files of /proc and /sys are not mounted");
              }},
             {"host", [&](const auto& n) { template_text(n, out.host, block_scope_, Use::rooted_path); },
              required},
             {"path", [&](const auto& n) { template_text(n, out.path, block_scope_, Use::container_path); }},
             {"kind",
              [&](const auto& n) {
                choice<FileKind>(n, out.kind,
                                 {{"file", FileKind::file},
                                  {"directory", FileKind::directory},
                                  {"socket", FileKind::socket}});
              }},
             {"options",
              [&](const auto& n) {
                words(n, out.options);
                for (const auto& option : out.options) {
                  if (error_ || std::find(std::begin(kMountOptions), std::end(kMountOptions), option) !=
                                    std::end(kMountOptions))
                    continue;
                  unknown(n.at, "mount option", option, {std::begin(kMountOptions), std::end(kMountOptions)});
                }
              }},
             {"required", [&](const auto& n) { boolean(n, out.required); }},
             {"hint", [&](const auto& n) { string(n, out.hint); }},
             {"libraries", [&](const auto& n) { boolean(n, out.libraries); }},
             {"replaces", [&](const auto& n) { boolean(n, out.replaces); }},
             when(out.when),
         });
  if (error_) return;
  if (out.libraries && out.kind != FileKind::directory)
    return refuse(node.at, "libraries is for a directory", "add kind: directory");
  if (out.path.empty()) {
    out.path = out.host;
    if (const auto why = forbidden_container_path(out.path); !why.empty())
      refuse(node.at, text::cat({text::quote(out.path), " ", why}));
  }
}

void Decoder::library(const yaml::Node& node, LibraryRule& out) {
  object(node, {
                   {"name", [&](const auto& n) { words(n, out.names); }, required},
                   {"version",
                    [&](const auto& n) { template_text(n, out.version, block_scope_, Use::relative_path); }},
                   {"subdirectory", [&](const auto& n) { word(n, out.subdirectory); }},
                   {"compat32", [&](const auto& n) { boolean(n, out.compat32); }},
                   {"required", [&](const auto& n) { boolean(n, out.required); }},
                   when(out.when),
               });
  for (const auto& name : out.names) {
    if (!error_ && name.find('/') != std::string::npos)
      refuse(node.at, text::cat({text::quote(name, 60), " is not the name of a library"}),
             "use subdirectory");
  }
}

void Decoder::binary(const yaml::Node& node, BinaryRule& out) {
  object(node, {
                   {"name", [&](const auto& n) { words(n, out.names); }, required},
                   {"required", [&](const auto& n) { boolean(n, out.required); }},
                   when(out.when),
               });
}

void Decoder::file_list(const yaml::Node& node, FileListRule& out) {
  object(node, {
                   {"directory", [&](const auto& n) { template_text(n, out.directory, {}, Use::directory); },
                    required},
                   {"names", [&](const auto& n) { words(n, out.names); }, required},
                   when(out.when),
               });
  for (const std::string& name : out.names) {
    if (!error_ && (name.empty() || name.front() == '.' || name.find('/') != std::string::npos))
      refuse(node.at, text::cat({text::quote(name, 60), " is not the name of a file"}));
  }
}

void Decoder::firmware(const yaml::Node& node, FirmwareRule& out) {
  object(node, {
                   {"pattern",
                    [&](const auto& n) { template_text(n, out.pattern, block_scope_, Use::relative_path); },
                    required},
                   {"search", [&](const auto& n) { templates(n, out.search, block_scope_, Use::directory); },
                    required},
                   {"required", [&](const auto& n) { boolean(n, out.required); }},
                   when(out.when),
               });
}

void Decoder::config(const yaml::Node& node, ConfigRule& out) {
  object(node, {
                   {"name", [&](const auto& n) { words(n, out.names); }, required},
                   {"search", [&](const auto& n) { strings(n, out.search); }, required},
                   {"destination", [&](const auto& n) { string(n, out.destination); }, required},
                   when(out.when),
               });
  if (error_) return;
  for (const auto& directory : out.search) {
    if (const auto why = malformed_path(directory); !why.empty())
      return refuse(node.at, text::cat({text::quote(directory), " ", why}));
  }
  // Files land below it, so /etc itself is fine here.
  if (const auto why = forbidden_container_path(out.destination + "/0"); !why.empty())
    refuse(node.at, text::cat({text::quote(out.destination), " ", why}));
}

void Decoder::symlink(const yaml::Node& node, SymlinkRule& out) {
  object(
      node,
      {
          {"path", [&](const auto& n) { template_text(n, out.path, block_scope_, Use::container_path); },
           required},
          {"target", [&](const auto& n) { template_text(n, out.target, block_scope_, Use::text); }, required},
          {"library", [&](const auto& n) { word(n, out.library); }},
          when(out.when),
      });
}

void Decoder::proc_override(const yaml::Node& node, ProcOverrideRule& out) {
  object(node, {
                   {"path", [&](const auto& n) { string(n, out.path); }, required},
                   {"match", [&](const auto& n) { string(n, out.match); }, required},
                   {"replace", [&](const auto& n) { string(n, out.replace); }, required},
                   when(out.when),
               });
  if (error_) return;
  if (!malformed_path(out.path).empty() || !out.path.starts_with("/proc/driver/"))
    refuse(node.at, "only files below /proc/driver can be shown changed");
}

void Decoder::env(const yaml::Node& node, EnvRule& out) {
  object(node,
         {
             {"name", [&](const auto& n) { template_text(n, out.name, block_scope_, Use::name); }, required},
             {"value", [&](const auto& n) { template_text(n, out.value, block_scope_, Use::text); }},
             {"op",
              [&](const auto& n) {
                choice<EnvRule::Op>(n, out.op,
                                    {{"set", EnvRule::Op::set},
                                     {"default", EnvRule::Op::set_default},
                                     {"unset", EnvRule::Op::unset}});
              }},
             when(out.when),
         });
}

}  // namespace hami::vendors
