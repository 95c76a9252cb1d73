#include "oci-config/invocation.h"

#include <array>
#include <optional>

// No allocation, no static construction and no system call in here: the same code runs before the C library
// is set up.

namespace hami::oci {

namespace {

// Options that take a value in the next word. runc 1.1 to 1.3 and crun 1.8 to 1.29; booleans need no entry.
constexpr std::array<std::string_view, 7> kGlobalValues{
    "root", "log", "log-format", "criu", "rootless", "cgroup-manager", "log-level"};
constexpr std::array<std::string_view, 7> kGlobalSwitches{"debug", "systemd-cgroup", "help",    "h",
                                                          "v",     "version",        "no-pivot"};
constexpr std::array<std::string_view, 16> kCreateValues{
    "bundle",   "b",           "console-socket",    "pidfd-socket", "pid-file",    "preserve-fds",
    "config",   "f",           "image-path",        "work-path",    "parent-path", "manage-cgroups-mode",
    "empty-ns", "lsm-profile", "lsm-mount-context", "network-lock"};
constexpr std::array<std::string_view, 17> kCreateSwitches{
    "no-pivot",     "no-new-keyring",    "detach",      "d",         "keep",
    "no-subreaper", "tcp-established",   "ext-unix-sk", "shell-job", "file-locks",
    "auto-dedup",   "lazy-pages",        "tcp-close",   "help",      "h",
    "link-remap",   "tcp-skip-in-flight"};

template <std::size_t N>
constexpr bool contains(const std::array<std::string_view, N>& names, std::string_view name) {
  for (const auto candidate : names) {
    if (candidate == name) return true;
  }
  return false;
}

struct Option {
  std::string_view name;
  std::optional<std::string_view> value;  // written in the same word
  bool long_form = false;                 // two dashes
};

// Splits "--name=value", "-name=value", "-n". `word` begins with a dash and is neither "-" nor "--".
constexpr Option split_option(std::string_view word) {
  Option option;
  option.long_form = word.substr(0, 2) == "--";
  word.remove_prefix(option.long_form ? 2 : 1);
  const auto equals = word.find('=');
  option.name = word.substr(0, equals);
  if (equals != std::string_view::npos) option.value = word.substr(equals + 1);
  return option;
}

constexpr bool is_option(std::string_view word) { return word.size() > 1 && word.front() == '-'; }

constexpr Subcommand classify(std::string_view word) {
  if (word == "create") return Subcommand::create;
  if (word == "run") return Subcommand::run;
  if (word == "restore") return Subcommand::restore;
  return Subcommand::other;
}

void take_global(Invocation& out, std::string_view name, std::string_view value) {
  if (name == "root") out.root = value;
  if (name == "log") out.log = value;
  if (name == "log-format") out.log_format = value == "json" ? LogFormat::json : LogFormat::text;
}

void take_create(Invocation& out, std::string_view name, std::string_view value) {
  if (name == "bundle" || name == "b") out.bundle = value;
  if (name == "config" || name == "f") out.config = value;
}

void take_switch(Invocation& out, const Option& option) {
  const bool on = !option.value || (*option.value != "false" && *option.value != "0");
  if (option.name == "systemd-cgroup") out.systemd_cgroup = on;
  if (option.name == "version" || option.name == "v") out.version = on;
}

class Reader {
 public:
  explicit Reader(std::span<const char* const> argv) : argv_(argv) {}

  Invocation read() {
    read_globals();
    if (at_ >= argv_.size()) return out_;
    out_.command = word();
    ++at_;
    out_.subcommand = classify(out_.command);
    if (out_.subcommand != Subcommand::other) read_create();
    return out_;
  }

 private:
  [[nodiscard]] std::string_view word() const { return argv_[at_]; }

  void read_globals() {
    for (at_ = 1; at_ < argv_.size(); ++at_) {
      if (word() == "--") {
        ++at_;
        return;
      }
      if (!is_option(word())) return;
      const Option option = split_option(word());
      if (contains(kGlobalValues, option.name)) {
        if (const auto value = value_of(option)) take_global(out_, option.name, *value);
      } else {
        take_switch(out_, option);
        if (!option.value && !contains(kGlobalSwitches, option.name)) out_.ambiguous = true;
      }
    }
  }

  // runc reads options behind the id too; crun stops at the id, but then refuses what follows.
  void read_create() {
    bool only_words = false;
    for (; at_ < argv_.size(); ++at_) {
      if (only_words || !is_option(word())) {
        if (out_.container_id.empty()) out_.container_id = word();
        continue;
      }
      if (word() == "--") {
        only_words = true;
        continue;
      }
      read_create_option(split_option(word()));
    }
  }

  void read_create_option(const Option& option) {
    if (contains(kCreateValues, option.name)) {
      if (const auto value = value_of(option)) take_create(out_, option.name, *value);
      return;
    }
    if (option.value || contains(kCreateSwitches, option.name)) return;
    const char letter = option.name.front();
    if (!option.long_form && (letter == 'b' || letter == 'f')) {  // crun's "-bDIRECTORY"
      take_create(out_, option.name.substr(0, 1), option.name.substr(1));
      return;
    }
    out_.ambiguous = true;
  }

  // The value in the word itself, or the next word, which is consumed.
  std::optional<std::string_view> value_of(const Option& option) {
    if (option.value) return option.value;
    if (at_ + 1 >= argv_.size()) return std::nullopt;
    ++at_;
    return word();
  }

  std::span<const char* const> argv_;
  std::size_t at_ = 1;
  Invocation out_;
};

}  // namespace

Invocation parse_invocation(std::span<const char* const> argv) noexcept { return Reader(argv).read(); }

}  // namespace hami::oci
