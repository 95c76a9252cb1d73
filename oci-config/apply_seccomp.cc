#include "oci-config/apply_seccomp.h"

#include "oci-config/base/text.h"
#include "oci-config/json_edit.h"

namespace hami::oci {

namespace {

constexpr const char* kAllow = "SCMP_ACT_ALLOW";
constexpr const char* kError = "SCMP_ACT_ERRNO";

enum class Says { nothing, allowed, error, more };

JsonRef list_of(JsonRef rule, const char* name) {
  const JsonRef list = member(rule, name);
  return list != nullptr && json_object_is_type(list, json_type_array) ? list : nullptr;
}

bool names(JsonRef rule, const std::string& syscall) {
  const JsonRef list = list_of(rule, "names");
  if (list == nullptr) return false;
  for (std::size_t i = 0; i < json_object_array_length(list); ++i) {
    if (is_text(json_object_array_get_idx(list, i), syscall)) return true;
  }
  return false;
}

Says rule_says(JsonRef rule) {
  const JsonRef args = list_of(rule, "args");
  if (args != nullptr && json_object_array_length(args) > 0) return Says::more;
  if (has_text(rule, "action", kAllow)) return Says::allowed;
  return has_text(rule, "action", kError) ? Says::error : Says::more;
}

// All of the profile's rules for one system call together.
Says profile_says(JsonRef rules, const std::string& syscall) {
  Says out = Says::nothing;
  for (std::size_t i = 0; i < json_object_array_length(rules); ++i) {
    const JsonRef rule = json_object_array_get_idx(rules, i);
    if (!names(rule, syscall)) continue;
    const Says says = rule_says(rule);
    if (out != Says::nothing && out != says) return Says::more;
    out = says;
  }
  return out;
}

void take_out_of_errors(JsonRef rules, const std::string& syscall) {
  for (std::size_t i = 0; i < json_object_array_length(rules); ++i) {
    const JsonRef rule = json_object_array_get_idx(rules, i);
    if (names(rule, syscall))
      remove_if(list_of(rule, "names"), [&](JsonRef name) { return is_text(name, syscall); });
  }
  // A rule for nothing is one that runtimes refuse.
  remove_if(rules, [](JsonRef rule) {
    const JsonRef list = list_of(rule, "names");
    return list != nullptr && json_object_array_length(list) == 0;
  });
}

// Whether the filter lets through what none of its rules names.
bool is_open(JsonRef profile) {
  return has_text(profile, "defaultAction", kAllow) || has_text(profile, "defaultAction", "SCMP_ACT_LOG");
}

}  // namespace

std::vector<std::string> kept_out_syscalls(const Document& document,
                                           const std::vector<std::string>& syscalls) {
  const auto linux = member_of(document.root(), "linux", json_type_object, "");
  if (!linux) return {};
  const auto profile = member_of(*linux, "seccomp", json_type_object, "linux");
  if (!profile || *profile == nullptr) return {};
  const JsonRef rules = list_of(*profile, "syscalls");
  std::vector<std::string> out;
  for (const std::string& syscall : syscalls) {
    const Says says = rules == nullptr ? Says::nothing : profile_says(rules, syscall);
    if (says == Says::error || (says == Says::nothing && !is_open(*profile))) out.push_back(syscall);
  }
  return out;
}

Result<> allow_syscalls(JsonRef root, const std::vector<std::string>& syscalls) {
  if (syscalls.empty()) return {};
  HAMI_TRY(const JsonRef linux, member_of(root, "linux", json_type_object, ""));
  HAMI_TRY(const JsonRef profile, member_of(linux, "seccomp", json_type_object, "linux"));
  if (profile == nullptr) return {};
  HAMI_TRY(const JsonRef rules, ensure(profile, "syscalls", json_type_array, "linux.seccomp"));
  const bool open = is_open(profile);
  std::vector<std::string> added;
  for (const std::string& syscall : syscalls) {
    const Says says = profile_says(rules, syscall);
    if (says == Says::allowed || says == Says::more) continue;
    if (says == Says::error) take_out_of_errors(rules, syscall);
    if (!open) added.push_back(syscall);
  }
  if (added.empty()) return {};
  JsonPtr rule = made(json_object_new_object());
  put(rule.get(), "names", new_list(added));
  put(rule.get(), "action", new_string(kAllow));
  append(rules, std::move(rule));
  return {};
}

}  // namespace hami::oci
