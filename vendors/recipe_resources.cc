// What users ask for and how a part of a device is made: `resources`, `slice`, `neutralize`, `support`.
#include <algorithm>

#include "oci-config/base/parts.h"
#include "oci-config/base/text.h"
#include "vendors/recipe_decoder.h"

namespace hami::vendors {

namespace {

using enum Decoder::Presence;

}  // namespace

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
                   {"unset",
                    [&](const auto& n) {
                      each(n, out.unset, [&](const auto& i, std::string& s) { env_name(i, s); });
                    }},
                   {"dropHooks", [&](const auto& n) { words(n, out.drop_hooks); }},
               });
}

void Decoder::percent(const yaml::Node& node, Percent& out) { number(node, out.value, 100); }

void Decoder::slice_templates(const yaml::Node& node, std::vector<SliceTemplate>& out) {
  out.clear();
  each(node, out, [this](const auto& item, SliceTemplate& entry) {
    object(item, {{"name", [&](const auto& v) { word(v, entry.name); }, required},
                  {"memory", [&](const auto& v) { bytes(v, entry.memory); }, required},
                  {"cores", [&](const auto& v) { percent(v, entry.cores); }},
                  {"size", [&](const auto& v) { number(v, entry.size, 1024); }},
                  {"model", [&](const auto& v) { strings(v, entry.models); }}});
  });
}

void Decoder::driver_call(const yaml::Node& node, const Scope& scope, DriverCall& out) {
  const auto kind_of = [&out](DriverCall::Kind kind) { out.kind = kind; };
  out = {};
  object(node,
         {
             {"library",
              [&](const auto& n) {
                kind_of(DriverCall::Kind::library);
                words(n, out.names);
              }},
             {"adapter",
              [&](const auto& n) {
                choice<std::string>(n, out.adapter, {{"dcmi", "dcmi"}, {"cndev", "cndev"}});
              }},
             {"tool",
              [&](const auto& n) {
                kind_of(DriverCall::Kind::tool);
                words(n, out.names);
              }},
             {"write",
              [&](const auto& n) {
                kind_of(DriverCall::Kind::write);
                template_text(n, out.path, scope, Use::host_path);
                if (!error_ && !out.path.starts_with("${root.sys}/"))
                  refuse(n.at, "a driver's file must be below ${root.sys}");
              }},
             {"arguments", [&](const auto& n) { templates(n, out.arguments, scope, Use::text); }, required},
         });
  if (error_) return;
  const int ways =
      (node.find("library") != nullptr) + (node.find("tool") != nullptr) + (node.find("write") != nullptr);
  if (ways != 1) return refuse(node.at, "expected exactly one of library, tool, write");
  if ((out.kind == DriverCall::Kind::library) == out.adapter.empty())
    return refuse(node.at, "library and adapter belong together");
  if (out.kind == DriverCall::Kind::write && out.arguments.size() != 1)
    refuse(node.at, "write takes one argument: the text");
}

void Decoder::subdevice(const yaml::Node& node, const Recipe& recipe, SubdeviceRules& out) {
  if (node.kind == yaml::Node::Kind::scalar && node.text == "none") {
    out = {};
    return;
  }
  Scope scope = slice_scope(recipe);
  scope["slice.subdevice"] = ValueType::number;
  object(node, {
                   {"list", [&](const auto& n) { pattern(n, scope, out.list); }, required},
                   {"numbers",
                    [&](const auto& n) {
                      object(n, {{"field", [&](const auto& v) { word(v, out.field); }, required},
                                 {"factor", [&](const auto& v) { number(v, out.factor, 1024); }, required},
                                 {"first", [&](const auto& v) { number(v, out.first, 1U << 20U); }, required},
                                 {"count", [&](const auto& v) { number(v, out.count, 1024); }, required}});
                    }},
                   {"create", [&](const auto& n) { driver_call(n, scope, out.create); }, required},
                   {"destroy", [&](const auto& n) { driver_call(n, scope, out.destroy); }, required},
                   {"hint", [&](const auto& n) { string(n, out.hint); }},
               });
  if (error_) return;
  if (out.list.find('*') == std::string::npos)
    return refuse(node.at, "list needs a '*' for the number of a subdevice");
  const auto field = scope.find("dev." + out.field);
  if (!out.field.empty() && (field == scope.end() || field->second != ValueType::number))
    return refuse(node.at, text::cat({text::quote(out.field, 60), " is not a number of the devices"}));
  const auto& told = out.create.arguments;
  const bool needs_number = std::any_of(told.begin(), told.end(), [](const std::string& argument) {
    return argument.find("${slice.subdevice}") != std::string::npos;
  });
  if (needs_number && out.count == 0)
    refuse(node.at, "create is told ${slice.subdevice}, but there are no numbers to choose from");
}

void Decoder::slice(const yaml::Node& node, const Recipe& recipe, SliceRules& out) {
  object(node, {
                   {"mechanism",
                    [&](const auto& n) {
                      choice<SliceMechanism>(n, out.mechanism,
                                             {{"none", SliceMechanism::none},
                                              {"preload", SliceMechanism::preload},
                                              {"vendor", SliceMechanism::vendor}});
                    }},
                   {"enforced", [&](const auto& n) { boolean(n, out.enforced); }},
                   {"memoryUnit", [&](const auto& n) { bytes(n, out.memory_unit); }},
                   {"rounding",
                    [&](const auto& n) {
                      choice<Rounding>(
                          n, out.rounding,
                          {{"up", Rounding::up}, {"down", Rounding::down}, {"exact", Rounding::exact}});
                    }},
                   {"memoryTiers",
                    [&](const auto& n) {
                      out.memory_tiers.clear();
                      each(n, out.memory_tiers, [&](const auto& i, Bytes& tier) { bytes(i, tier); });
                      if (!error_ && !std::is_sorted(out.memory_tiers.begin(), out.memory_tiers.end()))
                        refuse(n.at, "the tiers must ascend");
                    }},
                   {"templates", [&](const auto& n) { slice_templates(n, out.templates); }},
                   {"refuseCores", [&](const auto& n) { boolean(n, out.refuses_cores); }},
                   {"defaultCores", [&](const auto& n) { percent(n, out.default_cores); }},
                   {"coreSteps", [&](const auto& n) { number(n, out.core_steps, kMaxParts); }},
                   {"coreStepsField", [&](const auto& n) { word(n, out.core_steps_field); }},
                   {"maxPerDevice", [&](const auto& n) { number(n, out.max_per_device, 100'000); }},
                   {"severalDevices",
                    [&](const auto& n) {
                      choice<SeveralDevices>(n, out.several,
                                             {{"sliced", SeveralDevices::sliced},
                                              {"whole", SeveralDevices::whole},
                                              {"refused", SeveralDevices::refused}});
                    }},
                   {"equalSizes", [&](const auto& n) { boolean(n, out.equal_sizes); }},
                   {"kernelMemory",
                    [&](const auto& n) {
                      template_text(n, out.kernel_memory, device_scope(recipe), Use::relative_path);
                    }},
                   {"subdevice", [&](const auto& n) { subdevice(n, recipe, out.subdevice); }},
                   {"disableEnv", [&](const auto& n) { env_name(n, out.disable_env); }},
               });
}

void Decoder::modes(const yaml::Node& node, const Recipe& recipe, std::map<std::string, SliceRules>& out) {
  entries(node, "modes", [&](const yaml::Key& key, const yaml::Node& value) {
    if (!mode_of(key.text)) {
      std::vector<std::string_view> known(kModes.size());
      std::transform(kModes.begin(), kModes.end(), known.begin(), [](Mode mode) { return to_text(mode); });
      return unknown(key.at, "mode", key.text, known);
    }
    SliceRules rules = recipe.slice;
    slice(value, recipe, rules);
    out[key.text] = std::move(rules);
  });
}

void Decoder::support(const yaml::Node& node, std::map<std::string, Certainty>& out) {
  entries(node, "abilities",
          [&](const yaml::Key& key, const yaml::Node& value) { certainty(value, out[key.text]); });
}

void Decoder::memory_resource(const yaml::Node& node, MemoryResource& out) {
  object(node, {{"name", [&](const auto& v) { words(v, out.names); }, required},
                {"unit", [&](const auto& v) { bytes(v, out.unit); }, required},
                {"suffix", [&](const auto& v) { boolean(v, out.suffix); }},
                {"largeUnit", [&](const auto& v) { bytes(v, out.large_unit); }},
                {"largeAbove", [&](const auto& v) { number(v, out.large_above, UINT32_MAX); }}});
}

void Decoder::cores_resource(const yaml::Node& node, CoresResource& out) {
  object(node, {{"name", [&](const auto& v) { words(v, out.names); }, required},
                {"whole", [&](const auto& v) { number(v, out.whole, 100'000); }},
                {"parts", [&](const auto& v) { boolean(v, out.parts); }},
                {"clamp", [&](const auto& v) { boolean(v, out.clamp); }},
                {"devices", [&](const auto& v) { boolean(v, out.devices); }}});
  if (!error_ && out.whole == 0) refuse(node.at, "whole must not be 0");
}

void Decoder::models(const yaml::Node& node, std::vector<ModelResources>& out) {
  out.clear();
  each(node, out, [this](const auto& item, ModelResources& entry) {
    object(item, {{"model", [&](const auto& v) { string(v, entry.model); }},
                  {"count", [&](const auto& v) { words(v, entry.count); }},
                  {"memory", [&](const auto& v) { memory_resource(v, entry.memory); }},
                  {"cores", [&](const auto& v) { cores_resource(v, entry.cores); }},
                  {"useUuid", [&](const auto& v) { words(v, entry.use_uuid); }},
                  {"nouseUuid", [&](const auto& v) { words(v, entry.nouse_uuid); }},
                  {"group", [&](const auto& v) { number(v, entry.group, 16); }},
                  {"ring", [&](const auto& v) { number(v, entry.ring, 64); }}});
    if (!error_ && entry.group == 0) refuse(item.at, "group must not be 0");
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
                   {"memory", [&](const auto& n) { memory_resource(n, out.memory); }},
                   names("memoryPercentage", out.memory_percentage),
                   {"cores", [&](const auto& n) { cores_resource(n, out.cores); }},
                   {"models", [&](const auto& n) { models(n, out.models); }},
                   names("size", out.size),
                   names("priority", out.priority),
                   names("useUuid", out.use_uuid),
                   names("nouseUuid", out.nouse_uuid),
                   names("useType", out.use_type),
                   names("nouseType", out.nouse_type),
                   names("numaBind", out.numa_bind),
                   names("mode", out.mode),
                   {"limitEnv",
                    [&](const auto& n) {
                      object(n, {variable_name("memory", out.limit_env.memory),
                                 variable_name("cores", out.limit_env.cores),
                                 variable_name("priority", out.limit_env.priority),
                                 variable_name("corePolicy", out.limit_env.core_policy),
                                 variable_name("oversubscribe", out.limit_env.oversubscribe),
                                 variable_name("oomKiller", out.limit_env.oom_killer),
                                 variable_name("memoryWait", out.limit_env.memory_wait)});
                    }},
               });
}

}  // namespace hami::vendors
