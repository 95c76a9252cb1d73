#include "hook/options.h"

#include <string_view>

#include "oci-config/base/text.h"

namespace hami::hook {

namespace {

constexpr std::string_view kUsage =
    "use 'create-container|create-runtime|prestart --plan FILE [--root DIRECTORY]', "
    "'release --key KEY --state-dir DIRECTORY', 'poststop --state-dir DIRECTORY' or 'precreate'";

struct VerbRow {
  std::string_view word;
  Verb verb;
};

constexpr VerbRow kVerbs[] = {
    {"prestart", Verb::prestart},
    {"create-runtime", Verb::create_runtime},
    {"create-container", Verb::create_container},
    {"release", Verb::release},
    {"poststop", Verb::poststop},
    {"precreate", Verb::precreate},
    {"refuse", Verb::refuse},
};

struct OptionRow {
  Verb verb;
  std::string_view name;
  std::string Options::*value;
  bool is_path;
  bool is_needed = true;
};

constexpr OptionRow kOptions[] = {
    {Verb::prestart, "--plan", &Options::plan, true},
    {Verb::prestart, "--root", &Options::root, true, false},
    {Verb::create_runtime, "--plan", &Options::plan, true},
    {Verb::create_runtime, "--root", &Options::root, true, false},
    {Verb::create_container, "--plan", &Options::plan, true},
    {Verb::create_container, "--root", &Options::root, true, false},
    {Verb::release, "--key", &Options::key, false},
    {Verb::release, "--state-dir", &Options::state_dir, true},
    {Verb::poststop, "--state-dir", &Options::state_dir, true},
    {Verb::refuse, "--reason", &Options::reason, false},
};

tl::unexpected<Error> usage(std::initializer_list<std::string_view> why) {
  return fail(Errc::invalid_config, text::cat(why), std::string(kUsage));
}

Result<Verb> parse_verb(const std::string& word) {
  for (const VerbRow& row : kVerbs) {
    if (row.word == word) return row.verb;
  }
  return usage({"unknown verb ", text::quote(word)});
}

const OptionRow* find_option(Verb verb, std::string_view name) {
  for (const OptionRow& row : kOptions) {
    if (row.verb == verb && row.name == name) return &row;
  }
  return nullptr;
}

Result<> check_complete(const Options& options) {
  for (const OptionRow& row : kOptions) {
    if (row.verb == options.verb && row.is_needed && (options.*row.value).empty())
      return usage({row.name, " is missing"});
  }
  return {};
}

}  // namespace

Result<Options> parse_options(const std::vector<std::string>& arguments) {
  if (arguments.empty()) return usage({"no verb"});
  Options options;
  HAMI_TRY(options.verb, parse_verb(arguments.front()));
  for (std::size_t i = 1; i < arguments.size(); i += 2) {
    const OptionRow* row = find_option(options.verb, arguments[i]);
    if (row == nullptr) return usage({"unknown option ", text::quote(arguments[i])});
    if (i + 1 == arguments.size() || arguments[i + 1].empty()) return usage({row->name, " needs a value"});
    std::string& value = options.*row->value;
    if (!value.empty()) return usage({row->name, " is given twice"});
    value = arguments[i + 1];
    if (row->is_path && value.front() != '/') return usage({row->name, " needs an absolute path"});
  }
  HAMI_CHECK(check_complete(options));
  return options;
}

}  // namespace hami::hook
