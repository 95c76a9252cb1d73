#include "hamictl/arguments.h"

#include <array>

#include "oci-config/base/text.h"

namespace hami::hamictl {

namespace {

// One option: its name, the verbs that have it (separated by blanks), and what it sets.
struct Option {
  std::string_view name;
  std::string_view verbs;
  bool has_value = false;
  Result<> (*set)(Arguments&, std::string_view value) = nullptr;
};

Result<> set_engine(Arguments& arguments, std::string_view value) {
  HAMI_TRY(arguments.configure.engine, parse_engine(value));
  arguments.names.emplace_back(value);
  return {};
}

template <auto Member>
Result<> set_flag(Arguments& arguments, std::string_view) {
  arguments.*Member = true;
  return {};
}

template <auto Member>
Result<> set_configure_flag(Arguments& arguments, std::string_view) {
  arguments.configure.*Member = true;
  return {};
}

template <auto Member>
Result<> set_engine_flag(Arguments& arguments, std::string_view) {
  arguments.configure.options.*Member = true;
  return {};
}

template <auto Member>
Result<> set_engine_text(Arguments& arguments, std::string_view value) {
  arguments.configure.options.*Member = value;
  return {};
}

Result<> set_config(Arguments& arguments, std::string_view value) {
  arguments.configure.config = value;
  return {};
}

Result<> set_state_dir(Arguments& arguments, std::string_view value) {
  arguments.state_dir = value;
  arguments.configure.memory = value;
  return {};
}

Result<> set_golden(Arguments& arguments, std::string_view value) {
  arguments.recipe.golden = value;
  return {};
}

Result<> set_update(Arguments& arguments, std::string_view) {
  arguments.recipe.update = true;
  return {};
}

Result<> set_output(Arguments& arguments, std::string_view value) {
  arguments.cdi.output = value;
  return {};
}

Result<> set_spec_version(Arguments& arguments, std::string_view value) {
  arguments.cdi.version = value;
  return {};
}

Result<> set_spec_dirs(Arguments& arguments, std::string_view value) {
  arguments.cdi.directories.clear();
  for (const auto directory : text::split(value, ',')) arguments.cdi.directories.emplace_back(directory);
  return {};
}

Result<> add_recipes(Arguments& arguments, std::string_view value) {
  arguments.recipe.directories = {std::string(value)};
  return {};
}

using containerd::EngineOptions;

constexpr std::array<Option, 20> kOptions{{
    {"--engine", "configure", true, set_engine},
    {"--config", "configure", true, set_config},
    {"--runtime-name", "configure", true, set_engine_text<&EngineOptions::runtime_name>},
    {"--runtime-path", "configure", true, set_engine_text<&EngineOptions::runtime_path>},
    {"--set-default", "configure", false, set_engine_flag<&EngineOptions::set_default>},
    {"--cdi", "configure", false, set_engine_flag<&EngineOptions::enable_cdi>},
    {"--dry-run", "configure", false, set_configure_flag<&ConfigureRequest::dry_run>},
    {"--undo", "configure", false, set_configure_flag<&ConfigureRequest::undo>},
    {"--reload", "configure", false, set_configure_flag<&ConfigureRequest::reload>},
    {"--state-dir", "configure ps release", true, set_state_dir},
    {"--json", "ps pod", false, set_flag<&Arguments::json>},
    {"--stale", "release", false, set_flag<&Arguments::stale>},
    {"--golden", "recipe", true, set_golden},
    {"--update", "recipe", false, set_update},
    {"--recipes", "recipe", true, add_recipes},
    {"--output", "cdi", true, set_output},
    {"--spec-dirs", "cdi", true, set_spec_dirs},
    {"--spec-version", "cdi", true, set_spec_version},
    {"--help", "", false, set_flag<&Arguments::help>},
    {"--version", "", false, set_flag<&Arguments::version>},
}};

bool is_for(const Option& option, std::string_view verb) {
  if (option.verbs.empty()) return true;
  for (const auto candidate : text::split(option.verbs, ' ')) {
    if (candidate == verb) return true;
  }
  return false;
}

tl::unexpected<Error> usage_error(std::string_view what, std::string_view word) {
  return fail(Errc::invalid_config, text::cat({what, " ", text::quote(word)}), "see hamictl --help");
}

}  // namespace

Result<Arguments> parse_arguments(std::span<const char* const> argv) {
  Arguments out;
  for (std::size_t i = 1; i < argv.size(); ++i) {
    const std::string_view word = argv[i];
    if (word.empty() || word.front() != '-' || word == "-") {
      if (out.verb.empty()) {
        out.verb = word;
      } else {
        out.names.emplace_back(word);
      }
      continue;
    }
    const auto equals = word.find('=');
    const std::string_view name = word.substr(0, equals);
    const Option* option = nullptr;
    for (const Option& candidate : kOptions) {
      if (candidate.name == name && is_for(candidate, out.verb)) option = &candidate;
    }
    if (option == nullptr) return usage_error("unknown option", word);
    std::string_view value;
    if (option->has_value && equals != std::string_view::npos) {
      value = word.substr(equals + 1);
    } else if (option->has_value) {
      if (++i >= argv.size()) return usage_error("no value behind option", word);
      value = argv[i];
    }
    HAMI_CHECK(option->set(out, value));
  }
  return out;
}

}  // namespace hami::hamictl
