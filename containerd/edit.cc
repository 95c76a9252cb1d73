#include "containerd/edit.h"

#include <optional>

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include "oci-config/base/log.h"
#include "oci-config/base/text.h"

namespace hami::containerd {

namespace {

constexpr std::string_view kBegin = "# >>> hami-runtime >>>";
constexpr std::string_view kEnd = "# <<< hami-runtime <<<";
// A line of our block: what default_runtime_name was before, so that removing can put it back.
constexpr std::string_view kOldDefault = "# default_runtime_name was ";
constexpr std::string_view kAbsent = "absent";

// Where a version of the file keeps the runtimes.
struct Layout {
  std::int64_t version = 2;
  std::string_view plugin;  // key below [plugins]
  std::string_view header;  // as written in a table header
};

Result<Layout> layout_of(std::int64_t version) {
  switch (version) {
    case 1:
      return Layout{1, "cri", "plugins.cri.containerd"};
    case 2:
      return Layout{2, "io.containerd.grpc.v1.cri", "plugins.\"io.containerd.grpc.v1.cri\".containerd"};
    case 3:
    case 4:
      return Layout{version, "io.containerd.cri.v1.runtime",
                    "plugins.\"io.containerd.cri.v1.runtime\".containerd"};
    default:
      break;
  }
  return fail(Errc::invalid_config,
              text::cat({"version ", std::to_string(version), " of the file is not known"}),
              "versions 1 to 4 are; upgrade hamictl, or write the runtime by hand");
}

Result<toml::table> parse(std::string_view text) {
  auto result = toml::parse(text);
  if (result) return std::move(result).table();
  const auto& error = result.error();
  return fail(Errc::invalid_config,
              text::cat({"line ", std::to_string(error.source().begin.line), ", column ",
                         std::to_string(error.source().begin.column), ": ", error.description()}),
              "correct the file first; containerd cannot read it either");
}

Result<Layout> layout_of_file(const toml::table& root, std::string_view text) {
  if (const auto version = root["version"].value<std::int64_t>()) return layout_of(*version);
  // No version line means 1, but a new file should not be written in the deprecated form.
  return layout_of(root.empty() && text::trim(text).empty() ? 2 : 1);
}

const toml::table* containerd_table(const toml::table& root, const Layout& layout) {
  return root["plugins"][layout.plugin]["containerd"].as_table();
}

const toml::table* runtime_table(const toml::table& root, const Layout& layout, std::string_view name) {
  return root["plugins"][layout.plugin]["containerd"]["runtimes"][name].as_table();
}

std::size_t offset_of(std::string_view text, const toml::source_position& position) {
  std::size_t at = 0;
  for (toml::source_index line = 1; line < position.line; ++line) at = text.find('\n', at) + 1;
  // toml++ counts columns in characters; what stands before a value on its line is ASCII in all but comments.
  return at + position.column - 1;
}

// The node of default_runtime_name, in whichever layout the file has; null when it has none.
const toml::node* default_node(const toml::table& root, const Layout& layout) {
  const auto* table = containerd_table(root, layout);
  const auto* node = table == nullptr ? nullptr : table->get("default_runtime_name");
  return node != nullptr && node->is_string() ? node : nullptr;
}

// Puts back the default that our block remembers to have replaced.
Result<std::string> with_old_default(std::string text, std::string_view old) {
  HAMI_TRY(const toml::table root, parse(text));
  HAMI_TRY(const Layout layout, layout_of_file(root, text));
  const auto* node = default_node(root, layout);
  if (node == nullptr) return text;
  const std::size_t begin = offset_of(text, node->source().begin);
  if (old != kAbsent) return text.replace(begin, offset_of(text, node->source().end) - begin, old);
  const auto line_begin = text.rfind('\n', begin);
  const auto line_end = text.find('\n', begin);
  const std::size_t from = line_begin == std::string::npos ? 0 : line_begin;
  return text.erase(from, (line_end == std::string::npos ? text.size() : line_end) - from);
}

// The text as it was before our block was added.
Result<std::string> without_block(std::string_view text) {
  std::string out(text);
  const auto begin = out.find(kBegin);
  const auto end = out.find(kEnd);
  if (begin == std::string::npos || end == std::string::npos || end < begin) return out;
  const auto line_end = out.find('\n', end);
  const std::size_t after = line_end == std::string::npos ? out.size() : line_end + 1;
  const std::string block = out.substr(begin, after - begin);
  out.erase(begin, after - begin);
  const auto note = block.find(kOldDefault);
  if (note == std::string::npos) return out;
  const std::size_t value = note + kOldDefault.size();
  return with_old_default(std::move(out), block.substr(value, block.find('\n', value) - value));
}

std::string patterns_list() {
  std::string out = "[";
  for (const std::string& pattern : annotation_patterns()) {
    if (out.size() > 1) out += ", ";
    out += json_string(pattern);
  }
  return out + "]";
}

// The line "SystemdCgroup = …" as the runc handler of the file has it: both must agree on the cgroup driver.
std::string cgroup_line(const toml::table& root, const Layout& layout) {
  const auto* runc = runtime_table(root, layout, "runc");
  if (runc == nullptr) return {};
  const auto value = (*runc)["options"]["SystemdCgroup"].value<bool>();
  if (!value) return {};
  return text::cat({"    SystemdCgroup = ", *value ? "true" : "false", "\n"});
}

std::string handler(const Layout& layout, const EngineOptions& options, const std::string& cgroup) {
  const std::string name = text::cat({layout.header, ".runtimes.", options.runtime_name});
  const std::string patterns = patterns_list();
  return text::cat(
      {"[", name, "]\n  runtime_type = \"io.containerd.runc.v2\"\n  pod_annotations = ", patterns,
       "\n  container_annotations = ", patterns, "\n  privileged_without_host_devices = true\n  [", name,
       ".options]\n    BinaryName = ", json_string(options.runtime_path), "\n", cgroup});
}

// Names `options.runtime_name` as the default, in the place where the file has it or may have it.
std::string with_default(std::string text, const toml::table& root, const Layout& layout,
                         const EngineOptions& options, std::string& block) {
  const std::string wanted = json_string(options.runtime_name);
  if (const auto* node = default_node(root, layout)) {
    if (node->value_or(std::string{}) == options.runtime_name) return text;
    const std::size_t begin = offset_of(text, node->source().begin);
    const std::size_t size = offset_of(text, node->source().end) - begin;
    block.insert(0, text::cat({kOldDefault, text.substr(begin, size), "\n"}));
    return text.replace(begin, size, wanted);
  }
  const auto header = text.find(text::cat({"[", layout.header, "]"}));
  if (header == std::string::npos) {
    block.insert(0, text::cat({"[", layout.header, "]\n  default_runtime_name = ", wanted, "\n"}));
    return text;
  }
  block.insert(0, text::cat({kOldDefault, kAbsent, "\n"}));
  const auto line_end = text.find('\n', header);
  return text.insert(line_end == std::string::npos ? text.size() : line_end,
                     text::cat({"\n  default_runtime_name = ", wanted}));
}

// Of "version = N" at the beginning of a line; what Go's templates add is no TOML.
std::int64_t template_version(std::string_view text, const EngineOptions& options) {
  for (const auto line : text::split(text, '\n')) {
    const auto equals = line.find('=');
    if (equals == std::string_view::npos || text::trim(line.substr(0, equals)) != "version") continue;
    if (const auto number = text::parse_u64(text::trim(line.substr(equals + 1))))
      return static_cast<std::int64_t>(*number);
  }
  return options.template_version;
}

// A handler at the end of a template; the rest of the file is made from what the engine knows.
Result<std::string> add_to_template(std::string_view current, const EngineOptions& options) {
  if (options.set_default) {
    return fail(Errc::invalid_config, "a template cannot make a runtime the default",
                text::cat({"start k3s or rke2 with --default-runtime ", options.runtime_name}));
  }
  HAMI_TRY(std::string text, without_block(current));
  if (text::trim(text).empty()) text = "{{ template \"base\" . }}\n";
  if (text.back() != '\n') text += '\n';
  HAMI_TRY(const Layout layout, layout_of(template_version(text, options)));
  if (text.find(text::cat({".runtimes.", options.runtime_name, "]"})) != std::string::npos) {
    return fail(Errc::invalid_config,
                text::cat({"a runtime ", text::quote(options.runtime_name),
                           " that is not ours is in the file already"}),
                "remove it, or choose another name with --runtime-name");
  }
  return text::cat({text, kBegin, "\n",
                    handler(layout, options, "    SystemdCgroup = {{ .SystemdCgroup }}\n"), kEnd, "\n"});
}

Result<> refuse_generated(std::string_view text) {
  for (const std::string_view engine : {"k3s", "rke2"}) {
    if (text.find(text::cat({"File generated by ", engine})) == std::string_view::npos) continue;
    return fail(Errc::invalid_config, text::cat({engine, " writes this file anew at every start"}),
                "give --config with config.toml.tmpl beside it, or config-v3.toml.tmpl for containerd 2");
  }
  return {};
}

Result<> refuse_inline(const toml::table& root, const Layout& layout) {
  const auto* table = containerd_table(root, layout);
  const auto* runtimes = table == nullptr ? nullptr : (*table)["runtimes"].as_table();
  const bool inline_table =
      (table != nullptr && table->is_inline()) || (runtimes != nullptr && runtimes->is_inline());
  if (!inline_table) return {};
  const auto line = (runtimes != nullptr ? runtimes : table)->source().begin.line;
  return fail(Errc::invalid_config,
              text::cat({"line ", std::to_string(line), ": the runtimes are an inline table"}),
              text::cat({"write them as [", layout.header, ".runtimes.NAME] tables first"}));
}

}  // namespace

const std::vector<std::string>& annotation_patterns() {
  static const std::vector<std::string> patterns{"hami.io/*",
                                                 "nvidia.com/*",
                                                 "huawei.com/*",
                                                 "cambricon.com/*",
                                                 "CAMBRICON_*",
                                                 "hygon.com/*",
                                                 "dcu.com/*",
                                                 "iluvatar.ai/*",
                                                 "metax-tech.com/*",
                                                 "mthreads.com/*",
                                                 "kunlunxin.com/*",
                                                 "BAIDU_COM_*",
                                                 "enflame.com/*",
                                                 "assigned-containers",
                                                 "amd.com/*",
                                                 "aws.amazon.com/*",
                                                 "AWS_NEURON_*",
                                                 "NEURON_*",
                                                 "vastaitech.com/*",
                                                 "birentech.com/*",
                                                 "volcano.sh/*",
                                                 "koordinator.sh/*",
                                                 "scheduling.koordinator.sh/*",
                                                 "tencent.com/*",
                                                 "gpu-memory",
                                                 "gpu-fraction*",
                                                 "cdi.k8s.io/*"};
  return patterns;
}

Result<std::string> remove_from_containerd(std::string_view text, const EngineOptions& options) {
  if (options.is_template) return without_block(text);
  HAMI_CHECK(parse(text));
  return without_block(text);
}

Result<std::string> add_to_containerd(std::string_view current, const EngineOptions& wanted) {
  if (wanted.is_template) return add_to_template(current, wanted);
  HAMI_CHECK(refuse_generated(current));
  EngineOptions options = wanted;
  {
    HAMI_TRY(const toml::table root, parse(current));
    HAMI_TRY(const Layout layout, layout_of_file(root, current));
    const auto* standard = default_node(root, layout);
    // What an earlier run was asked for stays.
    options.set_default |= standard != nullptr && standard->value_or(std::string{}) == options.runtime_name;
  }
  HAMI_TRY(std::string text, without_block(current));
  HAMI_TRY(const toml::table root, parse(text));
  HAMI_TRY(const Layout layout, layout_of_file(root, text));
  HAMI_CHECK(refuse_inline(root, layout));
  if (runtime_table(root, layout, options.runtime_name) != nullptr) {
    return fail(Errc::invalid_config,
                text::cat({"a runtime ", text::quote(options.runtime_name),
                           " that is not ours is in the file already"}),
                "remove it, or choose another name with --runtime-name");
  }
  std::string block = handler(layout, options, cgroup_line(root, layout));
  if (runtime_table(root, layout, "runc") == nullptr && options.runtime_name != "runc") {
    block += text::cat({"[", layout.header, ".runtimes.runc]\n  runtime_type = \"io.containerd.runc.v2\"\n"});
  }
  if (options.enable_cdi && layout.version >= 2) {
    const std::string plugin = text::cat({"plugins.\"", layout.plugin, "\""});
    if (!root["plugins"][layout.plugin]["enable_cdi"] &&
        text.find(text::cat({"[", plugin, "]"})) == std::string::npos) {
      block += text::cat({"[", plugin, "]\n  enable_cdi = true\n"});
    }
  }
  if (options.set_default) text = with_default(std::move(text), root, layout, options, block);

  if (text::trim(text).empty()) text = "version = 2\n";
  if (text.back() != '\n') text += '\n';
  std::string result = text::cat({text, kBegin, "\n", block, kEnd, "\n"});
  if (auto check = parse(result); !check) {
    return fail(Errc::internal, text::cat({"the edited file would not be TOML: ", check.error().message}));
  }
  return result;
}

// conmon starts the runtime with this environment alone.
constexpr std::string_view kMonitorEnv =
    "monitor_env = [\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\"]\n";

bool drop_in_sets_default(std::string_view text, const EngineOptions& options) {
  const std::string value = text::cat({"runtime = ", json_string(options.runtime_name), "\n"});
  for (const auto* key : {"default_", ""}) {
    if (text.find(text::cat({"]\n", key, value})) != std::string_view::npos) return true;
  }
  return false;
}

std::string crio_drop_in(const EngineOptions& options) {
  const std::string standard =
      options.set_default
          ? text::cat({"[crio.runtime]\ndefault_runtime = ", json_string(options.runtime_name), "\n\n"})
          : "";
  return text::cat({"# Written by hamictl configure.\n", standard, "[crio.runtime.runtimes.",
                    options.runtime_name, "]\nruntime_path = ", json_string(options.runtime_path),
                    "\nruntime_type = \"oci\"\nruntime_root = \"/run/", options.runtime_name, "-runtime\"\n",
                    kMonitorEnv});
}

std::string podman_drop_in(const EngineOptions& options) {
  const std::string standard =
      options.set_default ? text::cat({"[engine]\nruntime = ", json_string(options.runtime_name), "\n\n"})
                          : "";
  return text::cat({"# Written by hamictl configure.\n", standard, "[engine.runtimes]\n",
                    options.runtime_name, " = [", json_string(options.runtime_path), "]\n"});
}

}  // namespace hami::containerd
