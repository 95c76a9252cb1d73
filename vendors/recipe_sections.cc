// The top-level sections of a recipe. Order matters: what later sections refer to is read first.
#include <algorithm>

#include "oci-config/base/text.h"
#include "vendors/recipe_decoder.h"

namespace hami::vendors {

namespace {

using enum Decoder::Presence;

const Scope& host_scope() {
  static const Scope scope{{"host.arch", ValueType::hex},   {"host.triplet", ValueType::hex},
                           {"host.kernel", ValueType::hex}, {"root.proc", ValueType::hex},
                           {"root.sys", ValueType::hex},    {"root.driver", ValueType::hex},
                           {"root.dev", ValueType::hex}};
  return scope;
}

bool is_field_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
  });
}

}  // namespace

Scope node_scope(const Recipe& recipe) {
  Scope scope = host_scope();
  for (const auto& [name, root] : recipe.roots) scope["root." + name] = ValueType::hex;
  scope["ctr.libdir"] = ValueType::hex;
  scope["ctr.libdir32"] = ValueType::hex;
  for (const auto& [name, variable] : recipe.vars) scope[name] = variable.type;
  return scope;
}

Scope device_scope(const Recipe& recipe) {
  Scope scope = node_scope(recipe);
  scope["dev.index"] = ValueType::number;
  scope["dev.ordinal"] = ValueType::number;
  scope["dev.uuid"] = ValueType::uuid;
  scope["dev.model"] = ValueType::text;
  scope["dev.memory_mib"] = ValueType::number;
  if (!recipe.devices.field.empty()) scope["dev." + recipe.devices.field] = recipe.devices.field_type;
  for (const auto& [name, variable] : recipe.devices.fields) scope["dev." + name] = variable.type;
  return scope;
}

Scope slice_scope(const Recipe& recipe) {
  Scope scope = device_scope(recipe);
  for (const char* name : {"slice.memory_mib", "slice.memory_bytes", "slice.cores"})
    scope[name] = ValueType::number;
  scope["slice.whole"] = ValueType::text;
  return scope;
}

void Decoder::recipe(const yaml::Node& root, Recipe& recipe) {
  known_capabilities_ = recipe.capabilities.tokens;
  const auto ignore = [](const yaml::Node&) {};
  object(root, {
                   {"apiVersion", ignore},
                   {"kind", ignore},
                   {"extends", ignore},
                   {"metadata", [&](const auto& n) { metadata(n, recipe.metadata); }},
                   {"capabilities", [&](const auto& n) { capabilities(n, recipe.capabilities); }},
                   {"gates", [&](const auto& n) { gates(n, recipe.gates); }},
                   {"roots", [&](const auto& n) { roots(n, recipe.roots); }},
                   {"search", [&](const auto& n) { search(n, recipe.search); }},
                   {"vars", [&](const auto& n) { variables(n, recipe.vars, host_scope()); }},
                   {"detect", [&](const auto& n) { predicate(n, recipe.detect.emplace()); }},
                   {"devices", [&](const auto& n) { devices(n, recipe, recipe.devices); }},
                   {"request", [&](const auto& n) { request(n, recipe.request); }},
                   {"resources", [&](const auto& n) { resources(n, recipe.resources); }},
                   {"slice", [&](const auto& n) { slice(n, recipe.slice); }},
                   {"neutralize", [&](const auto& n) { neutralize(n, recipe.neutralize); }},
                   {"updateLdcache", [&](const auto& n) { boolean(n, recipe.update_ldcache); }},
                   {"inject", [&](const auto& n) { inject(n, recipe, recipe.inject); }},
               });
}

void Decoder::metadata(const yaml::Node& node, Metadata& out) {
  object(node, {
                   {"name", [&](const auto& n) { word(n, out.name); }},
                   {"vendor", [&](const auto& n) { word(n, out.vendor); }},
                   {"class", [&](const auto& n) { word(n, out.device_class); }},
                   {"revision", [&](const auto& n) { number(n, out.revision, 1'000'000); }},
               });
  if (error_) return;
  if (out.name.find('/') != std::string::npos) refuse(node.at, "the recipe's name must not have a '/'");
}

void Decoder::roots(const yaml::Node& node, std::map<std::string, Root>& out) {
  if (error_) return;
  if (node.kind != yaml::Node::Kind::map) return refuse(node.at, "expected a map of roots");
  for (std::size_t i = 0; i < node.keys.size() && !error_; ++i) {
    const auto& key = node.keys[i];
    if (!is_field_name(key.text) || key.text == "proc" || key.text == "sys") {
      return refuse(key.at, text::cat({text::quote(key.text, 60), " cannot be the name of a root"}));
    }
    Root root;
    object(node.children[i], {{"candidates", [&](const auto& n) { strings(n, root.candidates); }, required},
                              {"probe", [&](const auto& n) { words(n, root.probe); }}});
    for (const auto& candidate : root.candidates) {
      if (candidate == "${root.driver}" && key.text != "driver") continue;
      if (const auto why = malformed_path(candidate); !why.empty()) {
        return refuse(key.at, text::cat({"candidate ", text::quote(candidate), " ", why}));
      }
    }
    if (!error_ && root.candidates.empty()) return refuse(key.at, "a root needs candidates");
    out[key.text] = std::move(root);
  }
}

void Decoder::search(const yaml::Node& node, SearchPaths& out) {
  object(node,
         {
             {"libraries", [&](const auto& n) { templates(n, out.libraries, host_scope(), Use::directory); }},
             {"libraries32",
              [&](const auto& n) { templates(n, out.libraries32, host_scope(), Use::directory); }},
             {"binaries", [&](const auto& n) { templates(n, out.binaries, host_scope(), Use::directory); }},
         });
}

void Decoder::reading(const yaml::Node& node, Reading& out, const Scope& scope) {
  object(node,
         {
             {"file", [&](const auto& n) { template_text(n, out.file, scope, Use::host_path); }},
             {"key", [&](const auto& n) { string(n, out.key); }},
             {"after", [&](const auto& n) { string(n, out.after); }},
             {"directory", [&](const auto& n) { template_text(n, out.directory, scope, Use::host_path); }},
             {"prefix", [&](const auto& n) { word(n, out.prefix); }},
             {"libraryVersion", [&](const auto& n) { words(n, out.library_version); }},
         });
  if (error_) return;
  const int places =
      (out.file.empty() ? 0 : 1) + (out.directory.empty() ? 0 : 1) + (out.library_version.empty() ? 0 : 1);
  if (places != 1) return refuse(node.at, "expected exactly one of file, directory, libraryVersion");
  if (out.file.empty() && !(out.key.empty() && out.after.empty()))
    refuse(node.at, "key and after belong to a file");
  if (out.directory.empty() != out.prefix.empty()) refuse(node.at, "directory and prefix belong together");
}

void Decoder::variable(const yaml::Node& node, Variable& out, const Scope& scope) {
  object(node, {
                   {"type", [&](const auto& n) { value_type(n, out.type); }, required},
                   {"optional", [&](const auto& n) { boolean(n, out.optional); }},
                   {"from",
                    [&](const auto& n) {
                      each(n, out.from, [&](const auto& item, Reading& reading_out) {
                        reading(item, reading_out, scope);
                      });
                    },
                    required},
               });
}

void Decoder::variables(const yaml::Node& node, std::map<std::string, Variable>& out, const Scope& scope) {
  if (error_) return;
  if (node.kind != yaml::Node::Kind::map) return refuse(node.at, "expected a map of variables");
  for (std::size_t i = 0; i < node.keys.size() && !error_; ++i) {
    const auto& key = node.keys[i];
    if (!is_field_name(key.text)) {
      return refuse(key.at, text::cat({text::quote(key.text, 60), " is not a name"}),
                    "use a-z, 0-9, '_' and '.'");
    }
    for (const std::string_view prefix : {"root.", "host.", "ctr.", "dev.", "slice.", "env."}) {
      if (key.text.starts_with(prefix)) {
        return refuse(key.at, text::cat({"names that begin with '", prefix, "' are taken"}));
      }
    }
    Variable variable_out;
    variable(node.children[i], variable_out, scope);
    out[key.text] = std::move(variable_out);
  }
}

void Decoder::predicate(const yaml::Node& node, Predicate& out) {
  const auto list = [&](Predicate::Kind kind) {
    return [this, &out, kind](const yaml::Node& n) {
      out.kind = kind;
      each(n, out.children, [this](const auto& item, Predicate& child) { predicate(item, child); });
    };
  };
  object(node, {
                   {"all", list(Predicate::Kind::all)},
                   {"any", list(Predicate::Kind::any)},
                   {"not", list(Predicate::Kind::negate)},
                   {"pci",
                    [&](const auto& n) {
                      out.kind = Predicate::Kind::pci;
                      object(n, {{"vendor", [&](const auto& v) { word(v, out.pci_vendor); }, required},
                                 {"class", [&](const auto& v) { words(v, out.classes); }}});
                    }},
                   {"procDevices",
                    [&](const auto& n) {
                      out.kind = Predicate::Kind::proc_devices;
                      words(n, out.names);
                    }},
                   {"path",
                    [&](const auto& n) {
                      out.kind = Predicate::Kind::path;
                      template_text(n, out.path, host_scope(), Use::host_path);
                    }},
               });
  if (!error_ && node.keys.size() != 1)
    refuse(node.at, "expected exactly one of all, any, not, pci, procDevices, path");
}

void Decoder::devices(const yaml::Node& node, const Recipe& recipe, DeviceTable& out) {
  const Scope node_vars = node_scope(recipe);
  const auto with_capture = [&] {
    Scope scope = node_vars;
    if (!out.field.empty()) scope["dev." + out.field] = out.field_type;
    return scope;
  };
  object(node,
         {
             {"each",
              [&](const auto& n) {
                object(n, {{"path",
                            [&](const auto& v) { template_text(v, out.each, node_vars, Use::host_path); },
                            required},
                           {"field", [&](const auto& v) { word(v, out.field); }, required},
                           {"type", [&](const auto& v) { value_type(v, out.field_type); }, required}});
                if (!error_ && (std::count(out.each.begin(), out.each.end(), '*') != 1 ||
                                out.each.find('*') < out.each.rfind('/'))) {
                  refuse(n.at, "the path needs one '*', in its last component");
                }
              }},
             {"fields", [&](const auto& n) { variables(n, out.fields, with_capture()); }},
             {"key", [&](const auto& n) { word(n, out.key); }},
             {"order", [&](const auto& n) { word(n, out.order); }},
             {"exclude", [&](const auto& n) { condition(n, out.exclude, device_scope(recipe)); }},
             {"aliases",
              [&](const auto& n) { templates(n, out.aliases, device_scope(recipe), Use::relative_path); }},
             {"probe",
              [&](const auto& n) {
                object(n, {{"adapter",
                            [&](const auto& v) {
                              choice<std::string>(v, out.probe.adapter, {{"nvml", "nvml"}, {"none", ""}});
                            },
                            required},
                           {"library", [&](const auto& v) { words(v, out.probe.libraries); }},
                           {"join", [&](const auto& v) { word(v, out.probe.join); }}});
              }},
         });
  if (error_) return;
  const auto scope = device_scope(recipe);
  for (const auto* name : {&out.key, &out.order, &out.probe.join}) {
    if (!name->empty() && !scope.contains("dev." + *name)) {
      return refuse(node.at, text::cat({text::quote(*name, 60), " is not a field of the devices"}));
    }
  }
}

void Decoder::request(const yaml::Node& node, RequestRules& out) {
  object(node, {
                   {"env",
                    [&](const auto& n) {
                      out.env.clear();
                      each(n, out.env, [&](const auto& i, std::string& s) { env_name(i, s); });
                    }},
                   {"mountMarker",
                    [&](const auto& n) { template_text(n, out.mount_marker, {}, Use::container_path); }},
                   {"tokens",
                    [&](const auto& n) {
                      out.tokens.clear();
                      each(n, out.tokens, [&](const auto& item, Token& token) {
                        choice<Token>(item, token,
                                      {{"all", Token::all},
                                       {"none", Token::none},
                                       {"void", Token::void_},
                                       {"index", Token::index},
                                       {"uuid", Token::uuid},
                                       {"alias", Token::alias}});
                      });
                    }},
                   {"separator", [&](const auto& n) { string(n, out.separator); }},
                   {"unset",
                    [&](const auto& n) {
                      choice<Unset>(n, out.unset,
                                    {{"noop", Unset::noop}, {"all", Unset::all}, {"error", Unset::error}});
                    }},
                   {"max", [&](const auto& n) { number(n, out.max, 1024); }},
               });
  if (!error_ && out.separator.size() != 1) refuse(node.at, "the separator must be one character");
}

void Decoder::capabilities(const yaml::Node& node, Capabilities& out) {
  const auto known = [&](const yaml::Node& n, const std::vector<std::string>& used) {
    for (const auto& token : used) {
      if (error_ || std::find(out.tokens.begin(), out.tokens.end(), token) != out.tokens.end()) continue;
      unknown(n.at, "capability", token, {out.tokens.begin(), out.tokens.end()});
    }
  };
  object(node, {
                   {"env", [&](const auto& n) { env_name(n, out.env); }},
                   {"tokens", [&](const auto& n) { words(n, out.tokens); }},
                   {"all", [&](const auto& n) { word(n, out.all); }},
                   {"default",
                    [&](const auto& n) {
                      words(n, out.defaults);
                      known(n, out.defaults);
                    }},
                   {"implies",
                    [&](const auto& n) {
                      if (n.kind != yaml::Node::Kind::map)
                        return refuse(n.at, "expected a map of capabilities");
                      for (std::size_t i = 0; i < n.keys.size() && !error_; ++i) {
                        auto& implied = out.implies[n.keys[i].text];
                        words(n.children[i], implied);
                        known(n.children[i], implied);
                        known(n, {n.keys[i].text});
                      }
                    }},
               });
  known_capabilities_ = out.tokens;
}

void Decoder::gates(const yaml::Node& node, std::map<std::string, Gate>& out) {
  if (error_) return;
  if (node.kind != yaml::Node::Kind::map) return refuse(node.at, "expected a map of gates");
  for (std::size_t i = 0; i < node.keys.size() && !error_; ++i) {
    Gate gate;
    object(node.children[i], {{"env", [&](const auto& n) { env_name(n, gate.env); }, required},
                              {"values", [&](const auto& n) { strings(n, gate.values); }, required},
                              {"privileged", [&](const auto& n) { boolean(n, gate.privileged); }}});
    out[node.keys[i].text] = std::move(gate);
  }
}

void Decoder::neutralize(const yaml::Node& node, Neutralize& out) {
  object(node, {
                   {"env",
                    [&](const auto& n) {
                      if (n.kind != yaml::Node::Kind::map) return refuse(n.at, "expected a map of variables");
                      for (std::size_t i = 0; i < n.keys.size() && !error_; ++i) {
                        yaml::Node name;
                        name.at = n.keys[i].at;
                        name.text = n.keys[i].text;
                        std::string checked;
                        env_name(name, checked);
                        string(n.children[i], out.env[checked]);
                      }
                    }},
                   {"dropHooks", [&](const auto& n) { words(n, out.drop_hooks); }},
               });
}

void Decoder::slice(const yaml::Node& node, SliceRules& out) {
  object(node, {
                   {"mechanism",
                    [&](const auto& n) {
                      choice<SliceMechanism>(
                          n, out.mechanism,
                          {{"none", SliceMechanism::none}, {"preload", SliceMechanism::preload}});
                    }},
                   {"memoryUnit", [&](const auto& n) { bytes(n, out.memory_unit); }},
                   {"maxPerDevice", [&](const auto& n) { number(n, out.max_per_device, 100'000); }},
                   {"disableEnv", [&](const auto& n) { env_name(n, out.disable_env); }},
               });
}

void Decoder::resources(const yaml::Node& node, Resources& out) {
  const auto names = [this](std::string_view key, std::vector<std::string>& list) {
    return Field{key, [this, &list](const yaml::Node& n) { words(n, list); }, optional};
  };
  const auto variable_name = [this](std::string_view key, std::string& name) {
    return Field{key, [this, &name](const yaml::Node& n) { env_name(n, name); }, optional};
  };
  object(node, {
                   names("count", out.count),
                   {"memory",
                    [&](const auto& n) {
                      object(n, {{"name", [&](const auto& v) { words(v, out.memory.names); }, required},
                                 {"unit", [&](const auto& v) { bytes(v, out.memory.unit); }, required}});
                    }},
                   names("memoryPercentage", out.memory_percentage),
                   {"cores",
                    [&](const auto& n) {
                      object(n, {{"name", [&](const auto& v) { words(v, out.cores.names); }, required},
                                 {"whole", [&](const auto& v) { number(v, out.cores.whole, 100'000); }}});
                      if (!error_ && out.cores.whole == 0) refuse(n.at, "whole must not be 0");
                    }},
                   names("priority", out.priority),
                   names("useUuid", out.use_uuid),
                   names("nouseUuid", out.nouse_uuid),
                   names("useType", out.use_type),
                   names("nouseType", out.nouse_type),
                   {"limitEnv",
                    [&](const auto& n) {
                      object(n, {variable_name("memory", out.limit_env.memory),
                                 variable_name("cores", out.limit_env.cores),
                                 variable_name("priority", out.limit_env.priority),
                                 variable_name("corePolicy", out.limit_env.core_policy),
                                 variable_name("oversubscribe", out.limit_env.oversubscribe),
                                 variable_name("oomKiller", out.limit_env.oom_killer)});
                    }},
               });
}

}  // namespace hami::vendors
