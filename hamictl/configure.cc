#include "hamictl/configure.h"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <optional>

#include "hamictl/line_diff.h"
#include "hamictl/reload.h"
#include "oci-config/base/files.h"
#include "oci-config/base/text.h"

namespace hami::hamictl {

namespace {

constexpr std::size_t kMaxConfig = 4U << 20U;
constexpr std::string_view kTemplate = ".tmpl";  // of k3s and RKE2

struct EngineFacts {
  std::string_view name;
  std::string_view config;
  bool drop_in = false;  // the file is ours alone
};

constexpr std::array<EngineFacts, 4> kEngines{
    {{"docker", "/etc/docker/daemon.json", false},
     {"containerd", "/etc/containerd/config.toml", false},
     {"crio", "/etc/crio/crio.conf.d/99-hami.conf", true},
     {"podman", "/etc/containers/containers.conf.d/99-hami.conf", true}}};

const EngineFacts& facts(Engine engine) { return kEngines[static_cast<std::size_t>(engine)]; }

// nullopt when there is no file.
Result<std::optional<std::string>> read_optional(const std::string& path) {
  auto text = files::read(path, kMaxConfig);
  if (text) return std::optional<std::string>(*std::move(text));
  if (text.error().code == Errc::not_found) return std::optional<std::string>();
  return fail(std::move(text).error());
}

Result<> write_text(const std::string& path, const std::string& text, bool exists) {
  if (exists) return files::replace(path, text);
  HAMI_CHECK(files::make_dirs(files::dir_name(path), 0755));
  return files::write_atomic(path, text, 0644);
}

// What the file was when we first changed it, and what we made of it.
class Memory {
 public:
  Memory(const ConfigureRequest& request, const std::string& file)
      : dir_(text::cat(
            {request.memory, "/", facts(request.engine).name, "-", text::hex64(text::fnv1a(file))})) {}

  // Keeps the older original when our own result is changed again.
  Result<> remember(const std::optional<std::string>& before, const std::string& after) const {
    HAMI_CHECK(files::make_dirs(dir_, 0755));
    HAMI_TRY(const auto last, read_optional(dir_ + "/result"));
    if (!last || last != before) {
      HAMI_CHECK(files::remove_tree(dir_ + "/original"));
      if (before) HAMI_CHECK(files::write_atomic(dir_ + "/original", *before, 0600));
    }
    return files::write_atomic(dir_ + "/result", after, 0600);
  }

  [[nodiscard]] Result<std::optional<std::string>> original() const {
    return read_optional(dir_ + "/original");
  }
  [[nodiscard]] Result<std::optional<std::string>> result() const { return read_optional(dir_ + "/result"); }
  Result<> forget() const { return files::remove_tree(dir_); }

 private:
  std::string dir_;
};

Result<std::string> with_runtime(const ConfigureRequest& request, const std::string& text) {
  containerd::EngineOptions options = request.options;
  if (facts(request.engine).drop_in) options.set_default |= containerd::drop_in_sets_default(text, options);
  switch (request.engine) {
    case Engine::docker:
      return containerd::add_to_docker(text, options);
    case Engine::containerd:
      return containerd::add_to_containerd(text, options);
    case Engine::crio:
      return containerd::crio_drop_in(options);
    case Engine::podman:
      return containerd::podman_drop_in(options);
  }
  return fail(Errc::internal, "unknown engine");
}

// The text without our runtime; nullopt when the file should not be there.
Result<std::optional<std::string>> without_runtime(const ConfigureRequest& request, const Memory& memory,
                                                   const std::string& text) {
  HAMI_TRY(const auto result, memory.result());
  if (result && *result == text) return memory.original();
  if (facts(request.engine).drop_in) {
    return fail(Errc::invalid_config, "the file was changed since hamictl wrote it", "remove it by hand");
  }
  HAMI_TRY(auto rest, request.engine == Engine::docker
                          ? containerd::remove_from_docker(text, request.options)
                          : containerd::remove_from_containerd(text, request.options));
  return std::optional<std::string>(std::move(rest));
}

Result<> check_options(const containerd::EngineOptions& options) {
  for (const char c : options.runtime_name) {
    const bool known =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    if (!known) {
      return fail(Errc::invalid_config,
                  text::cat({text::quote(options.runtime_name), " is not a name of a runtime"}),
                  "use letters, digits, '-' and '_'");
    }
  }
  if (options.runtime_name.empty()) return fail(Errc::invalid_config, "the name of the runtime is empty");
  if (options.runtime_path.empty() || options.runtime_path.front() != '/') {
    return fail(Errc::invalid_config,
                text::cat({text::quote(options.runtime_path), " is not an absolute path"}));
  }
  return {};
}

Result<ConfigureReport> apply_edit(const ConfigureRequest& request, ConfigureReport report,
                                   const Memory& memory, const std::optional<std::string>& current) {
  HAMI_TRY(const std::string wanted, with_runtime(request, current.value_or("")));
  report.diff = line_diff(current.value_or(""), wanted, report.file);
  if (request.dry_run || (current && *current == wanted)) return report;
  HAMI_CHECK(memory.remember(current, wanted));
  HAMI_CHECK(write_text(report.file, wanted, current.has_value()));
  return report;
}

Result<ConfigureReport> undo_edit(const ConfigureRequest& request, ConfigureReport report,
                                  const Memory& memory, const std::optional<std::string>& current) {
  if (!current) return report;
  HAMI_TRY(const auto wanted, without_runtime(request, memory, *current));
  report.diff = line_diff(*current, wanted.value_or(""), report.file);
  if (request.dry_run) return report;
  if (!wanted) {
    if (::unlink(report.file.c_str()) != 0) return fail_errno("remove", report.file);
  } else if (*wanted != *current) {
    HAMI_CHECK(files::replace(report.file, *wanted));
  }
  HAMI_CHECK(memory.forget());
  return report;
}

}  // namespace

Result<Engine> parse_engine(std::string_view name) {
  for (std::size_t i = 0; i < kEngines.size(); ++i) {
    if (kEngines[i].name == name) return static_cast<Engine>(i);
  }
  return fail(Errc::invalid_config, text::cat({"unknown engine ", text::quote(name)}),
              "known are docker, containerd, crio and podman");
}

Result<ConfigureReport> configure(const ConfigureRequest& wanted) {
  ConfigureRequest request = wanted;
  HAMI_CHECK(check_options(request.options));
  ConfigureReport report;
  report.file = request.config.empty() ? std::string(facts(request.engine).config) : request.config;
  const std::string_view name = files::base_name(report.file);
  request.options.is_template =
      name.size() > kTemplate.size() && name.substr(name.size() - kTemplate.size()) == kTemplate;
  if (name == "config-v3.toml.tmpl") request.options.template_version = 3;
  const std::string doing = text::cat({"configure ", text::quote(report.file)});
  const auto described = [&doing](Error error) { return std::move(error).within(doing); };

  const Memory memory(request, report.file);
  HAMI_TRY(const auto current, read_optional(report.file).map_error(described));
  auto done = request.undo ? undo_edit(request, std::move(report), memory, current)
                           : apply_edit(request, std::move(report), memory, current);
  if (!done) return fail(described(std::move(done).error()));
  if (done->diff.empty() || request.dry_run) return done;
  HAMI_TRY(done->next, make_engine_notice(request).map_error(described));
  return done;
}

}  // namespace hami::hamictl
