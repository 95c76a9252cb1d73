#include <string>

#include "containerd/edit.h"
#include "containerd/json_text.h"
#include "oci-config/base/json_scan.h"
#include "oci-config/base/log.h"
#include "oci-config/base/text.h"

namespace hami::containerd {

namespace {

constexpr int kMaxDepth = 64;

tl::unexpected<Error> wrong_type(std::string_view member, std::string_view expected) {
  return fail(Errc::invalid_config, text::cat({"member ", text::quote(member), " is not ", expected}),
              "correct the file first; Docker cannot read it either");
}

std::string_view value_of(std::string_view text, const MemberSpan& span) {
  return text.substr(span.value_begin, span.value_end - span.value_begin);
}

// The text with an object at `name`, created when absent or null.
Result<std::string> ensure_object(std::string text, std::size_t object, std::string_view name) {
  const auto span = find_member(text, object, name);
  if (!span || value_of(text, *span) == "null") return set_member(text, object, name, "{}");
  if (text[span->value_begin] != '{') return wrong_type(name, "an object");
  return text;
}

std::size_t object_at(std::string_view text, std::size_t object, std::string_view name) {
  return find_member(text, object, name)->value_begin;
}

// Sets `name` unless it already has this value, whatever blanks are in it.
std::string set_if_different(std::string text, std::size_t object, std::string_view name,
                             std::string_view value) {
  const auto span = find_member(text, object, name);
  if (span && value_of(text, *span) == value) return text;
  return set_member(text, object, name, value);
}

Result<std::string> checked(std::string_view text) {
  if (text::trim(text).empty()) return std::string("{}\n");
  if (auto scanned = scan_json(text, kMaxDepth); !scanned) {
    Error error = scanned.error();
    error.code = Errc::invalid_config;
    return fail(std::move(error));
  }
  return std::string(text);
}

std::size_t top(std::string_view text) { return text.find('{'); }

Result<std::string> set_path(std::string text, const EngineOptions& options) {
  const std::size_t root = top(text);
  HAMI_TRY(text, ensure_object(std::move(text), root, "runtimes"));
  const std::size_t runtimes = object_at(text, top(text), "runtimes");
  const auto ours = find_member(text, runtimes, options.runtime_name);
  const std::string path = json_string(options.runtime_path);
  if (!ours) return set_member(text, runtimes, options.runtime_name, text::cat({"{\"path\": ", path, "}"}));
  if (text[ours->value_begin] != '{') return wrong_type("runtimes." + options.runtime_name, "an object");
  return set_if_different(std::move(text), ours->value_begin, "path", path);
}

}  // namespace

Result<std::string> add_to_docker(std::string_view current, const EngineOptions& options) {
  HAMI_TRY(std::string text, checked(current));
  HAMI_TRY(text, set_path(std::move(text), options));
  if (options.set_default) {
    const std::size_t root = top(text);
    text = set_if_different(std::move(text), root, "default-runtime", json_string(options.runtime_name));
  }
  if (options.enable_cdi) {
    const std::size_t root = top(text);
    HAMI_TRY(text, ensure_object(std::move(text), root, "features"));
    const std::size_t features = object_at(text, top(text), "features");
    text = set_if_different(std::move(text), features, "cdi", "true");
  }
  return text;
}

Result<std::string> remove_from_docker(std::string_view current, const EngineOptions& options) {
  HAMI_TRY(std::string text, checked(current));
  const auto runtimes = find_member(text, top(text), "runtimes");
  if (runtimes && text[runtimes->value_begin] == '{') {
    text = remove_member(text, runtimes->value_begin, options.runtime_name);
    const std::size_t object = object_at(text, top(text), "runtimes");
    if (members(text, object).empty()) text = remove_member(text, top(text), "runtimes");
  }
  const auto standard = find_member(text, top(text), "default-runtime");
  if (standard && value_of(text, *standard) == json_string(options.runtime_name)) {
    text = remove_member(text, top(text), "default-runtime");
  }
  return text;
}

}  // namespace hami::containerd
