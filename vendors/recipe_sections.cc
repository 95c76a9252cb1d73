// The top-level sections of a recipe. Order matters: what later sections refer to is read first.
#include <algorithm>

#include "oci-config/base/text.h"
#include "vendors/recipe_decoder.h"

namespace hami::vendors {

namespace {

using enum Decoder::Presence;

bool is_field_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
  });
}

}  // namespace

const Scope& host_scope() {
  static const Scope scope{{"host.arch", ValueType::hex},   {"host.triplet", ValueType::hex},
                           {"host.kernel", ValueType::hex}, {"root.proc", ValueType::hex},
                           {"root.sys", ValueType::hex},    {"root.driver", ValueType::hex},
                           {"root.dev", ValueType::hex}};
  return scope;
}

Scope node_scope(const Recipe& recipe) {
  Scope scope = host_scope();
  for (const auto& [name, root] : recipe.roots) scope["root." + name] = ValueType::hex;
  scope["ctr.libdir"] = ValueType::hex;
  scope["ctr.libdir32"] = ValueType::hex;
  for (const char* name :
       {"all.indexes", "all.ordinals", "all.uuids", "all.cores", "all.masks", "all.memory_limits"})
    scope[name] = ValueType::text;
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
  const auto& instances = recipe.devices.instances;
  for (const auto* name : {&instances.first, &instances.second}) {
    if (!name->empty()) scope["dev." + *name] = ValueType::number;
  }
  for (const auto& [name, variable] : instances.fields) scope["dev." + name] = variable.type;
  for (const auto& [name, variable] : recipe.devices.fields) scope["dev." + name] = variable.type;
  return scope;
}

Scope slice_scope(const Recipe& recipe) {
  Scope scope = device_scope(recipe);
  for (const char* name : {"slice.memory_mib", "slice.memory_bytes", "slice.memory_gib", "slice.cores",
                           "slice.core_steps", "slice.slot", "slice.subdevice", "slice.percent"})
    scope[name] = ValueType::number;
  for (const char* name : {"slice.mask_low", "slice.mask_high"}) scope[name] = ValueType::hex;
  scope["slice.core_list"] = ValueType::text;
  scope["slice.template"] = ValueType::uuid;  // a word
  scope["slice.whole"] = ValueType::text;
  scope["slice.mode"] = ValueType::text;
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
                   {"slice",
                    [&](const auto& n) {
                      slice(n, recipe, recipe.slice);
                      for (auto& [name, rules] : recipe.modes)
                        slice(n, recipe, rules);  // of an extended recipe
                    }},
                   {"modes", [&](const auto& n) { modes(n, recipe, recipe.modes); }},
                   {"support", [&](const auto& n) { support(n, recipe.support); }},
                   {"tests", ignore},
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
                   {"insteadOf", [&](const auto& n) { word(n, out.instead_of); }},
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
                              {"probe", [&](const auto& n) { words(n, root.probe); }},
                              {"optional", [&](const auto& n) { boolean(n, root.optional); }}});
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
             {"value", [&](const auto& n) { template_text(n, out.value, scope, Use::text); }},
             {"link", [&](const auto& n) { template_text(n, out.link, scope, Use::host_path); }},
             {"directory", [&](const auto& n) { template_text(n, out.directory, scope, Use::host_path); }},
             {"prefix", [&](const auto& n) { word(n, out.prefix); }},
             {"libraryVersion", [&](const auto& n) { words(n, out.library_version); }},
         });
  if (error_) return;
  int places = out.library_version.empty() ? 0 : 1;
  for (const auto* place : {&out.value, &out.file, &out.link, &out.directory})
    places += place->empty() ? 0 : 1;
  if (places != 1)
    return refuse(node.at, "expected exactly one of value, file, link, directory, libraryVersion");
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
                   {"map",
                    [&](const auto& n) {
                      entries(n, "values", [&](const yaml::Key& key, const yaml::Node& value) {
                        string(value, out.map[key.text]);
                      });
                    }},
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
                                       {"alias", Token::alias},
                                       {"range", Token::range}});
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

}  // namespace hami::vendors
