// How a recipe finds devices: `detect` and `devices`.
#include <algorithm>

#include "oci-config/base/text.h"
#include "vendors/recipe_decoder.h"

namespace hami::vendors {

namespace {

using enum Decoder::Presence;

// Where the kernel lists PCI functions.
constexpr const char* kPciFunctions = "${root.sys}/bus/pci/devices/*";

}  // namespace

void Decoder::pattern(const yaml::Node& node, const Scope& scope, std::string& out) {
  template_text(node, out, scope, Use::host_path);
  const auto star = out.find('*');
  if (!error_ && star != std::string::npos && (star != out.rfind('*') || star < out.rfind('/')))
    refuse(node.at, "the path may have one '*', in its last component");
}

void Decoder::pci_filter(const yaml::Node& node, PciFilter& out) {
  object(node, {{"vendor", [&](const auto& v) { word(v, out.vendor); }, required},
                {"class", [&](const auto& v) { words(v, out.classes); }},
                {"device", [&](const auto& v) { words(v, out.devices); }},
                {"driver", [&](const auto& v) { words(v, out.drivers); }},
                {"attribute", [&](const auto& v) { word(v, out.attribute); }},
                {"values", [&](const auto& v) { words(v, out.values); }}});
  if (error_) return;
  if (out.attribute.find('/') != std::string::npos || out.attribute.starts_with('.'))
    refuse(node.at, text::cat({text::quote(out.attribute, 60), " is not the name of a file"}));
  if (out.attribute.empty() != out.values.empty()) refuse(node.at, "attribute and values belong together");
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
                      pci_filter(n, out.pci);
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
                object(n, {{"path", [&](const auto& v) { pattern(v, node_vars, out.each); }},
                           {"pci", [&](const auto& v) { pci_filter(v, out.pci); }},
                           {"field", [&](const auto& v) { word(v, out.field); }},
                           {"type", [&](const auto& v) { value_type(v, out.field_type); }}});
                if (error_) return;
                const bool is_pci = !out.pci.vendor.empty();
                if (is_pci && out.each.empty()) out.each = kPciFunctions;
                if (is_pci && out.field.empty()) {
                  out.field = "bdf";
                  out.field_type = ValueType::bdf;
                }
                if (out.each.empty() || out.field.empty())
                  refuse(n.at, "expected a path and a field, or pci");
              }},
             {"also",
              [&](const auto& n) {
                each(n, out.also, [&](const auto& item, Listing& listing) {
                  object(item,
                         {{"path", [&](const auto& v) { pattern(v, node_vars, listing.path); }, required},
                          {"pci", [&](const auto& v) { pci_filter(v, listing.pci); }}});
                });
              }},
             {"fields", [&](const auto& n) { variables(n, out.fields, with_capture()); }},
             {"key", [&](const auto& n) { word(n, out.key); }},
             {"number", [&](const auto& n) { word(n, out.number); }},
             {"order", [&](const auto& n) { word(n, out.order); }},
             {"exclude", [&](const auto& n) { condition(n, out.exclude, device_scope(recipe)); }},
             {"aliases", [&](const auto& n) { templates(n, out.aliases, device_scope(recipe), Use::text); }},
             {"instances", [&](const auto& n) { instances(n, recipe, out.instances); }},
             {"probe",
              [&](const auto& n) {
                object(n, {{"adapter",
                            [&](const auto& v) {
                              choice<std::string>(v, out.probe.adapter,
                                                  {{"nvml", "nvml"}, {"dcmi", "dcmi"}, {"none", ""}});
                            },
                            required},
                           {"library", [&](const auto& v) { words(v, out.probe.libraries); }},
                           {"join", [&](const auto& v) { word(v, out.probe.join); }}});
              }},
         });
  check_fields(node, recipe);
}

void Decoder::check_fields(const yaml::Node& node, const Recipe& recipe) {
  if (error_) return;
  const DeviceTable& out = recipe.devices;
  const auto scope = device_scope(recipe);
  for (const auto* name : {&out.key, &out.order, &out.number, &out.probe.join}) {
    if (!name->empty() && !scope.contains("dev." + *name)) {
      return refuse(node.at, text::cat({text::quote(*name, 60), " is not a field of the devices"}));
    }
  }
}

void Decoder::instances(const yaml::Node& node, const Recipe& recipe, InstanceTable& out) {
  Scope scope = device_scope(recipe);
  scope["dev.position"] = ValueType::number;  // of the part among those of its device
  const auto with_captures = [&] {
    for (const auto* name : {&out.first, &out.second}) {
      if (!name->empty()) scope["dev." + *name] = ValueType::number;
    }
    for (const auto& [name, variable] : out.fields) scope["dev." + name] = variable.type;
    return scope;
  };
  object(
      node,
      {
          {"each", [&](const auto& n) { template_text(n, out.each, scope, Use::host_path); }, required},
          {"first", [&](const auto& n) { word(n, out.first); }, required},
          {"second", [&](const auto& n) { word(n, out.second); }},
          {"fields", [&](const auto& n) { variables(n, out.fields, with_captures()); }},
          {"uuid", [&](const auto& n) { template_text(n, out.uuid, with_captures(), Use::relative_path); },
           required},
          {"aliases", [&](const auto& n) { templates(n, out.aliases, with_captures(), Use::relative_path); }},
      });
  if (error_) return;
  const auto stars = std::count(out.each.begin(), out.each.end(), '*');
  if (stars != (out.second.empty() ? 1 : 2))
    refuse(node.at, "each needs one '*' for `first`, and another one for `second`");
}

}  // namespace hami::vendors
