#include "vendors/cdi_spec.h"

#include <sys/stat.h>

#include <algorithm>

#include "oci-config/base/text.h"
#include "vendors/host_dir.h"
#include "vendors/recipe_decoder.h"

namespace hami::vendors {

namespace {

using enum Decoder::Presence;

constexpr std::string_view kVersions[] = {"0.3.0", "0.4.0", "0.5.0", "0.6.0",
                                          "0.7.0", "0.8.0", "1.0.0", "1.1.0"};
constexpr std::string_view kNodeTypes[] = {"b", "c", "u"};
constexpr std::string_view kHooks[] = {"prestart",       "createRuntime", "createContainer",
                                       "startContainer", "poststart",     "poststop"};

class CdiDecoder {
 public:
  explicit CdiDecoder(std::string_view file) : decoder_(file) {}
  [[nodiscard]] const std::optional<Error>& error() const { return decoder_.error(); }

  void spec(const yaml::Node& node, CdiSpec& out) {
    decoder_.object(node,
                    {{"cdiVersion", [&](const auto& n) { one_of(n, kVersions, out.version); }, required},
                     {"kind", [&](const auto& n) { kind(n, out.kind); }, required},
                     {"annotations", ignore},
                     {"devices", [&](const auto& n) { devices(n, out.devices); }, required},
                     {"containerEdits", [&](const auto& n) { edits(n, out.edits); }}});
  }

 private:
  static void ignore(const yaml::Node&) {}

  template <std::size_t N>
  void one_of(const yaml::Node& node, const std::string_view (&known)[N], std::string& out) {
    decoder_.string(node, out);
    if (std::find(std::begin(known), std::end(known), out) == std::end(known))
      decoder_.refuse(node.at, text::cat({"unknown value ", text::quote(out, 60)}));
  }

  void kind(const yaml::Node& node, std::string& out) {
    decoder_.word(node, out);
    if (std::count(out.begin(), out.end(), '/') != 1 || out.front() == '/' || out.back() == '/')
      decoder_.refuse(node.at, text::cat({text::quote(out, 60), " is not <vendor>/<class>"}));
  }

  void path(const yaml::Node& node, std::string& out) {
    decoder_.string(node, out);
    if (const auto why = malformed_path(out); !decoder_.error() && !why.empty())
      decoder_.refuse(node.at, text::cat({text::quote(out), " ", why}));
  }

  template <typename T, typename F>
  void items(const yaml::Node& node, std::vector<T>& out, F read) {
    if (node.kind != yaml::Node::Kind::list) return decoder_.refuse(node.at, "expected a list");
    for (const auto& item : node.children) read(item, out.emplace_back());
  }

  void devices(const yaml::Node& node, std::vector<CdiDevice>& out) {
    items(node, out, [this](const auto& item, CdiDevice& device) {
      decoder_.object(item, {{"name", [&](const auto& n) { name(n, device.name); }, required},
                             {"annotations", ignore},
                             {"containerEdits", [&](const auto& n) { edits(n, device.edits); }, required}});
      if (!decoder_.error() && device.edits.empty())
        decoder_.refuse(item.at, text::cat({"the device ", text::quote(device.name), " changes nothing"}));
    });
    if (!decoder_.error() && out.empty()) decoder_.refuse(node.at, "there is no device");
  }

  void name(const yaml::Node& node, std::string& out) {
    if (node.kind == yaml::Node::Kind::scalar && node.plain) {
      out = node.text;  // 0 is a name in YAML too
    } else {
      decoder_.string(node, out);
    }
    const bool good = !out.empty() && std::all_of(out.begin(), out.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
             c == '.' || c == '-' || c == ':';
    });
    if (!good) decoder_.refuse(node.at, text::cat({text::quote(out, 60), " is not the name of a device"}));
  }

  void edits(const yaml::Node& node, CdiEdits& out) {
    decoder_.object(node, {{"env", [&](const auto& n) { decoder_.strings(n, out.env); }},
                           {"deviceNodes", [&](const auto& n) { nodes(n, out.nodes); }},
                           {"mounts", [&](const auto& n) { mounts(n, out.mounts); }},
                           {"hooks", [&](const auto& n) { hooks(n, out.hooks); }},
                           {"additionalGids",
                            [&](const auto& n) {
                              items(n, out.gids, [this](const auto& item, std::uint32_t& gid) {
                                decoder_.number(item, gid, UINT32_MAX - 1);
                              });
                            }},
                           {"intelRdt", [&](const auto&) { out.unsupported = "intelRdt"; }},
                           {"netDevices", [&](const auto&) { out.unsupported = "netDevices"; }}});
  }

  void number(const yaml::Node& node, std::optional<std::uint32_t>& out, std::uint32_t max) {
    decoder_.number(node, out.emplace(), max);
  }

  void permissions(const yaml::Node& node, std::string& out) {
    decoder_.string(node, out);
    if (out.find_first_not_of("rwm") != std::string::npos)
      decoder_.refuse(node.at, text::cat({"unknown permissions ", text::quote(out, 60)}));
  }

  void nodes(const yaml::Node& node, std::vector<CdiNode>& out) {
    items(node, out, [this](const auto& item, CdiNode& device) {
      decoder_.object(item, {{"path", [&](const auto& n) { path(n, device.path); }, required},
                             {"hostPath", [&](const auto& n) { path(n, device.host_path); }},
                             {"type", [&](const auto& n) { one_of(n, kNodeTypes, device.type); }},
                             {"major", [&](const auto& n) { decoder_.number(n, device.major, 4095); }},
                             {"minor", [&](const auto& n) { decoder_.number(n, device.minor, 1U << 20U); }},
                             {"fileMode", [&](const auto& n) { number(n, device.file_mode, 07777); }},
                             {"permissions", [&](const auto& n) { permissions(n, device.permissions); }},
                             {"uid", [&](const auto& n) { number(n, device.uid, UINT32_MAX - 1); }},
                             {"gid", [&](const auto& n) { number(n, device.gid, UINT32_MAX - 1); }}});
    });
  }

  void mounts(const yaml::Node& node, std::vector<oci::Mount>& out) {
    items(node, out, [this](const auto& item, oci::Mount& mount) {
      decoder_.object(item, {{"hostPath", [&](const auto& n) { path(n, mount.source); }, required},
                             {"containerPath", [&](const auto& n) { path(n, mount.destination); }, required},
                             {"type", [&](const auto& n) { decoder_.string(n, mount.type); }},
                             {"options", [&](const auto& n) { decoder_.strings(n, mount.options); }}});
    });
  }

  void hooks(const yaml::Node& node, std::vector<CdiHook>& out) {
    items(node, out, [this](const auto& item, CdiHook& hook) {
      decoder_.object(item, {{"hookName", [&](const auto& n) { one_of(n, kHooks, hook.name); }, required},
                             {"path", [&](const auto& n) { path(n, hook.path); }, required},
                             {"args", [&](const auto& n) { decoder_.strings(n, hook.args); }},
                             {"env", ignore},
                             {"timeout", ignore}});
    });
  }

  Decoder decoder_;
};

void add_problems(const CdiEdits& edits, std::vector<std::string>& out) {
  struct stat info {};
  for (const auto& node : edits.nodes) {
    const std::string& host = node.host_path.empty() ? node.path : node.host_path;
    if (::lstat(host.c_str(), &info) != 0) {
      out.push_back(text::cat({"device node ", text::quote(host), " is missing"}));
    } else if (!S_ISCHR(info.st_mode) && !S_ISBLK(info.st_mode)) {
      out.push_back(text::cat({text::quote(host), " is no device node"}));
    }
  }
  for (const auto& mount : edits.mounts) {
    if (::stat(mount.source.c_str(), &info) != 0)
      out.push_back(text::cat({"file ", text::quote(mount.source), " is missing"}));
  }
  for (const auto& hook : edits.hooks) {
    if (::stat(hook.path.c_str(), &info) != 0) {
      out.push_back(text::cat({"hook ", text::quote(hook.path), " is missing"}));
    } else if (!is_trusted(info)) {
      out.push_back(text::cat({"hook ", text::quote(hook.path), " can be changed by others than root"}));
    }
  }
}

}  // namespace

std::span<const std::string_view> cdi_versions() { return kVersions; }

bool CdiEdits::empty() const {
  return env.empty() && nodes.empty() && mounts.empty() && hooks.empty() && gids.empty() &&
         unsupported.empty();
}

Result<CdiSpec> parse_cdi_spec(std::string_view text, std::string_view file_name) {
  HAMI_TRY(const auto tree, yaml::parse(text, file_name));
  CdiSpec spec;
  CdiDecoder decoder(file_name);
  decoder.spec(tree, spec);
  if (decoder.error()) return fail(*decoder.error());
  return spec;
}

std::vector<std::string> cdi_problems(const CdiSpec& spec) {
  std::vector<std::string> out;
  add_problems(spec.edits, out);
  for (const auto& device : spec.devices) add_problems(device.edits, out);
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

}  // namespace hami::vendors
