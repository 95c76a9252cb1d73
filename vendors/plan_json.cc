#include "vendors/plan_json.h"

#include <json-c/json.h>

#include <climits>

#include "oci-config/base/text.h"
#include "oci-config/document.h"
#include "oci-config/json_access.h"

namespace hami::vendors {

namespace {

using oci::JsonPtr;
using oci::JsonRef;

constexpr int kVersion = 2;

tl::unexpected<Error> refuse(std::string_view path, std::string_view why) {
  return fail(Errc::invalid_spec, text::cat({"hook plan: ", path, " ", why}));
}

bool has_nul(std::string_view value) { return value.find('\0') != std::string_view::npos; }

bool is_single_line(std::string_view value) { return value.find_first_of("\n\r") == std::string_view::npos; }

Result<> check_path(std::string_view value, std::string_view name) {
  if (value.size() < 2 || value.front() != '/') return refuse(name, "is not an absolute path");
  if (value.size() >= PATH_MAX) return refuse(name, "is too long for a path");
  if (has_nul(value)) return refuse(name, "holds a NUL byte");
  for (const std::string_view part : text::split(value.substr(1), '/')) {
    if (part.empty() || part == "." || part == "..")
      return refuse(name, text::cat({"has an empty, '.' or '..' component: ", text::quote(value)}));
    if (part.size() > NAME_MAX) return refuse(name, "has a component that is too long");
  }
  return {};
}

Result<> check_link(const Link& link, const std::string& name) {
  HAMI_CHECK(check_path(link.path, name + ".path"));
  if (link.target.empty() || link.target.size() >= PATH_MAX || has_nul(link.target))
    return refuse(name + ".target", "cannot be the target of a link");
  return {};
}

Result<> check_directory(const std::string& directory, const std::string& name) {
  HAMI_CHECK(check_path(directory, name));
  // ld.so.conf(5): '#' starts a comment, ':', ',' and blanks separate, '=' names a library type.
  if (directory.find_first_of(" \t\n\r\v\f:,;#=") != std::string::npos)
    return refuse(name, "holds a character that a loader configuration cannot");
  return {};
}

Result<> check_override(const ProcOverride& item, const std::string& name) {
  HAMI_CHECK(check_path(item.path, name + ".path"));
  if (!item.path.starts_with("/proc/")) return refuse(name + ".path", "is not below /proc");
  if (item.match.empty()) return refuse(name + ".match", "is empty");
  for (const std::string& line : {item.match, item.replace}) {
    if (!is_single_line(line) || has_nul(line))
      return refuse(name, "has a match or replacement of several lines");
  }
  return {};
}

template <typename T, typename Check>
Result<> check_each(const std::vector<T>& items, std::string_view name, Check check) {
  if (items.size() > kMaxPlanItems) return refuse(name, "has too many entries");
  for (std::size_t i = 0; i < items.size(); ++i) HAMI_CHECK(check(items[i], oci::element_path(name, i)));
  return {};
}

void add_text(json_object* object, const char* name, const std::string& value) {
  json_object_object_add(object, name,
                         json_object_new_string_len(value.data(), static_cast<int>(value.size())));
}

// Adds an array `name` to `root`, made of one value per item.
template <typename T, typename Make>
void add_array(json_object* root, const char* name, const std::vector<T>& items, Make make) {
  json_object* array = json_object_new_array();
  for (const T& item : items) json_object_array_add(array, make(item));
  json_object_object_add(root, name, array);
}

json_object* link_object(const Link& link) {
  json_object* object = json_object_new_object();
  add_text(object, "path", link.path);
  add_text(object, "target", link.target);
  return object;
}

json_object* path_value(const std::string& path) {
  return json_object_new_string_len(path.data(), static_cast<int>(path.size()));
}

json_object* override_object(const ProcOverride& item) {
  json_object* object = json_object_new_object();
  add_text(object, "path", item.path);
  add_text(object, "match", item.match);
  add_text(object, "replace", item.replace);
  return object;
}

// All of `names`, each once (the parser refuses repeated ones), and nothing else.
Result<> check_members(JsonRef object, std::initializer_list<const char*> names, const std::string& path) {
  if (!json_object_is_type(object, json_type_object)) return oci::wrong_type(path, "an object");
  for (const char* name : names) {
    if (oci::member(object, name) == nullptr)
      return refuse(path, text::cat({"lacks the member '", name, "'"}));
  }
  if (static_cast<std::size_t>(json_object_object_length(object)) != names.size())
    return refuse(path, "has a member this version does not know");
  return {};
}

Result<std::string> text_member(JsonRef object, const char* name, const std::string& path) {
  HAMI_TRY(const JsonRef value, oci::member_of(object, name, json_type_string, path));
  return oci::text_of(value);
}

Result<Link> parse_link(JsonRef value, const std::string& path) {
  HAMI_CHECK(check_members(value, {"path", "target"}, path));
  Link link;
  HAMI_TRY(link.path, text_member(value, "path", path));
  HAMI_TRY(link.target, text_member(value, "target", path));
  return link;
}

Result<std::string> parse_path(JsonRef value, const std::string& path) {
  if (!json_object_is_type(value, json_type_string)) return oci::wrong_type(path, "a string");
  return oci::text_of(value);
}

Result<ProcOverride> parse_override(JsonRef value, const std::string& path) {
  HAMI_CHECK(check_members(value, {"path", "match", "replace"}, path));
  ProcOverride item;
  HAMI_TRY(item.path, text_member(value, "path", path));
  HAMI_TRY(item.match, text_member(value, "match", path));
  HAMI_TRY(item.replace, text_member(value, "replace", path));
  return item;
}

template <typename T, typename Parse>
Result<std::vector<T>> parse_array(JsonRef root, const char* name, Parse parse) {
  HAMI_TRY(const JsonRef array, oci::member_of(root, name, json_type_array, ""));
  const std::size_t count = json_object_array_length(array);
  if (count > kMaxPlanItems) return refuse(name, "has too many entries");
  std::vector<T> items;
  for (std::size_t i = 0; i < count; ++i) {
    HAMI_TRY(auto item, parse(json_object_array_get_idx(array, i), oci::element_path(name, i)));
    items.push_back(std::move(item));
  }
  return items;
}

}  // namespace

Result<> validate(const HookPlan& plan) {
  HAMI_CHECK(check_each(plan.links, "links", check_link));
  HAMI_CHECK(check_each(plan.ldcache_dirs, "ldcacheDirs", check_directory));
  HAMI_CHECK(check_each(plan.libraries, "libraries", check_path));
  return check_each(plan.proc_overrides, "procOverrides", check_override);
}

Result<std::string> to_json(const HookPlan& plan) {
  HAMI_CHECK(validate(plan));
  const JsonPtr root(json_object_new_object());
  json_object_object_add(root.get(), "version", json_object_new_int(kVersion));
  add_array(root.get(), "links", plan.links, link_object);
  add_array(root.get(), "ldcacheDirs", plan.ldcache_dirs, path_value);
  add_array(root.get(), "libraries", plan.libraries, path_value);
  add_array(root.get(), "procOverrides", plan.proc_overrides, override_object);
  constexpr int kFlags = JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE;
  std::string out = text::cat({json_object_to_json_string_ext(root.get(), kFlags), "\n"});
  if (out.size() > kMaxPlanBytes) return refuse("it", "is larger than a hook reads");
  return out;
}

Result<HookPlan> parse_plan(std::string_view text) {
  if (text.size() > kMaxPlanBytes) return refuse("it", "is larger than 1 MiB");
  HAMI_TRY(const oci::Document document, oci::Document::parse(text));
  const JsonRef root = document.root();
  HAMI_CHECK(check_members(root, {"version", "links", "ldcacheDirs", "libraries", "procOverrides"}, "it"));
  HAMI_TRY(const std::uint32_t version, oci::u32_member(root, "version", 0, ""));
  if (version != kVersion)
    return fail(Errc::invalid_spec, text::cat({"hook plan: version ", text::number(version), " is unknown"}),
                "hami-runtime and hami-hook must come from the same release");
  HookPlan plan;
  HAMI_TRY(plan.links, parse_array<Link>(root, "links", parse_link));
  HAMI_TRY(plan.ldcache_dirs, parse_array<std::string>(root, "ldcacheDirs", parse_path));
  HAMI_TRY(plan.libraries, parse_array<std::string>(root, "libraries", parse_path));
  HAMI_TRY(plan.proc_overrides, parse_array<ProcOverride>(root, "procOverrides", parse_override));
  HAMI_CHECK(validate(plan));
  return plan;
}

}  // namespace hami::vendors
