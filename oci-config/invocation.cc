#include "oci-config/invocation.h"

#include <array>
#include <cstddef>

// The same code runs before the C library is set up: no allocation, no static construction, no system call,
// no function of the C library, not even memcmp or strlen (glibc chooses those at start-up), and no table of
// pointers (nobody has relocated them). That is why words are compared and measured by hand here.

namespace hami::oci {

namespace {

// A literal without sv is measured by strlen.
using std::string_view_literals::operator""sv;  // NOLINT(misc-unused-using-decls): clang-tidy misses literals

enum class Takes { nothing, value };
enum class Match { exact, by_beginning };

struct OptionRule {
  char name[20];
  Takes takes = Takes::nothing;
  Match match = Match::by_beginning;  // crun takes the beginning of a long option for it; runc never does
};

// Options before the command: runc 1.1 to 1.3 and crun 1.8 to 1.29 together.
constexpr std::array kGlobalRules{
    OptionRule{"root", Takes::value},
    OptionRule{"log", Takes::value},
    OptionRule{"log-format", Takes::value},
    OptionRule{"log-level", Takes::value},
    OptionRule{"criu", Takes::value, Match::exact},
    OptionRule{"rootless", Takes::value},
    OptionRule{"cgroup-manager", Takes::value},
    OptionRule{"debug"},
    OptionRule{"systemd-cgroup"},
    OptionRule{"version"},
    OptionRule{"v"},
    OptionRule{"V"},
    OptionRule{"help"},
    OptionRule{"h"},
    OptionRule{"usage"},
    OptionRule{"?"},
};

// Options of create, run and restore, of all these versions together.
constexpr std::array kCreateRules{
    OptionRule{"bundle", Takes::value},
    OptionRule{"b", Takes::value},
    OptionRule{"config", Takes::value},
    OptionRule{"f", Takes::value},
    OptionRule{"console-socket", Takes::value},
    OptionRule{"pidfd-socket", Takes::value, Match::exact},
    OptionRule{"pid-file", Takes::value},
    OptionRule{"preserve-fds", Takes::value},
    OptionRule{"image-path", Takes::value},
    OptionRule{"work-path", Takes::value},
    OptionRule{"parent-path", Takes::value, Match::exact},
    OptionRule{"manage-cgroups-mode", Takes::value},
    OptionRule{"empty-ns", Takes::value},
    OptionRule{"lsm-profile", Takes::value},
    OptionRule{"lsm-mount-context", Takes::value},
    OptionRule{"network-lock", Takes::value},
    OptionRule{"no-pivot"},
    OptionRule{"no-new-keyring"},
    OptionRule{"no-subreaper"},
    OptionRule{"detach"},
    OptionRule{"d"},
    OptionRule{"keep"},
    OptionRule{"tcp-established"},
    OptionRule{"tcp-close"},
    OptionRule{"tcp-skip-in-flight"},
    OptionRule{"ext-unix-sk"},
    OptionRule{"shell-job"},
    OptionRule{"file-locks"},
    OptionRule{"auto-dedup"},
    OptionRule{"lazy-pages"},
    OptionRule{"link-remap"},
    OptionRule{"help"},
    OptionRule{"h"},
    OptionRule{"usage"},
    OptionRule{"?"},
};

constexpr std::string_view word_of(const char* text) {
  std::size_t size = 0;
  while (text[size] != '\0') ++size;
  return {text, size};
}

constexpr bool starts_with(std::string_view word, std::string_view start) {
  if (word.size() < start.size()) return false;
  for (std::size_t i = 0; i < start.size(); ++i) {
    if (word.data()[i] != start.data()[i]) return false;
  }
  return true;
}

constexpr bool same(std::string_view a, std::string_view b) {
  return a.size() == b.size() && starts_with(a, b);
}

constexpr std::string_view from(std::string_view word, std::size_t start) {
  return {word.data() + start, word.size() - start};
}

constexpr bool is_option(std::string_view word) { return word.size() > 1 && word.data()[0] == '-'; }

struct Option {
  std::string_view name;
  std::string_view value;
  bool has_value = false;  // written in the same word
  bool is_long = false;    // two dashes
};

// Splits "--name=value", "-name=value", "-n". `word` is an option.
constexpr Option split_option(std::string_view word) {
  Option option;
  option.is_long = starts_with(word, "--"sv);
  word = from(word, option.is_long ? 2 : 1);
  std::size_t equals = 0;
  while (equals < word.size() && word.data()[equals] != '=') ++equals;
  option.name = {word.data(), equals};
  option.has_value = equals < word.size();
  if (option.has_value) option.value = from(word, equals + 1);
  return option;
}

// How Go reads a boolean; another text makes runc refuse the command line.
constexpr bool is_false(std::string_view value) {
  return same(value, "false"sv) || same(value, "0"sv) || same(value, "f"sv) || same(value, "F"sv) ||
         same(value, "False"sv) || same(value, "FALSE"sv);
}

constexpr Subcommand classify(std::string_view word) {
  if (same(word, "create"sv)) return Subcommand::create;
  if (same(word, "run"sv)) return Subcommand::run;
  if (same(word, "restore"sv)) return Subcommand::restore;
  return Subcommand::other;
}

class Reader {
 public:
  explicit Reader(std::span<const char* const> argv) : argv_(argv) {}

  Invocation read() {
    read_globals();
    if (helps_ || out_.version || at_ >= argv_.size()) return out_;
    out_.command = word();
    ++at_;
    out_.subcommand = classify(out_.command);
    if (out_.subcommand != Subcommand::other) read_create();
    if (helps_) out_.subcommand = Subcommand::other;  // prints its options and creates nothing
    return out_;
  }

 private:
  [[nodiscard]] std::string_view word() const { return word_of(argv_.data()[at_]); }

  void read_globals() {
    for (; at_ < argv_.size() && is_option(word()); ++at_) {
      if (same(word(), "--"sv)) {
        ++at_;
        return;
      }
      read_option(kGlobalRules);
    }
  }

  // runc reads options behind the id too; crun stops at the id, but then refuses what follows.
  void read_create() {
    bool only_words = false;
    for (; at_ < argv_.size(); ++at_) {
      if (only_words || !is_option(word())) {
        if (out_.container_id.empty()) out_.container_id = word();
      } else if (same(word(), "--"sv)) {
        only_words = true;
      } else if (!read_joined_letter()) {
        read_option(kCreateRules);
      }
    }
  }

  // crun's "-bDIRECTORY" and "-fFILE". Not "-b=DIRECTORY", which is runc's, nor runc's "-bundle DIRECTORY".
  bool read_joined_letter() {
    const std::string_view option = word();
    const char letter = option.data()[1];
    if ((letter != 'b' && letter != 'f') || option.size() == 2 || option.data()[2] == '=') return false;
    const Option split = split_option(option);
    for (const OptionRule& rule : kCreateRules) {
      if (same(word_of(rule.name), split.name)) return false;
    }
    take({option.data() + 1, 1}, from(option, 2));
    return true;
  }

  template <std::size_t N>
  void read_option(const std::array<OptionRule, N>& rules) {
    Option option = split_option(word());
    const OptionRule* rule = find(rules, option);
    if (rule == nullptr) {
      // A value in the same word does no harm; without one the next word may be the value or the command.
      if (!option.has_value) out_.ambiguous = true;
      return;
    }
    if (rule->takes == Takes::nothing) {
      take_switch(word_of(rule->name), !option.has_value || !is_false(option.value));
      return;
    }
    if (!option.has_value) {
      if (at_ + 1 >= argv_.size()) return;
      ++at_;
      option.value = word();
    }
    take(word_of(rule->name), option.value);
  }

  // The rule with this name, else the only one that begins with it.
  template <std::size_t N>
  static const OptionRule* find(const std::array<OptionRule, N>& rules, const Option& option) {
    const OptionRule* candidate = nullptr;
    bool several = false;
    const bool may_begin = option.is_long && !option.name.empty();
    for (const OptionRule& rule : rules) {
      if (same(word_of(rule.name), option.name)) return &rule;
      if (!may_begin || rule.match == Match::exact || !starts_with(word_of(rule.name), option.name)) continue;
      several = candidate != nullptr;
      candidate = &rule;
    }
    return several ? nullptr : candidate;
  }

  void take(std::string_view name, std::string_view value) {
    if (same(name, "root"sv)) out_.root = value;
    if (same(name, "log"sv)) out_.log = value;
    if (same(name, "log-format"sv))
      out_.log_format = same(value, "json"sv) ? LogFormat::json : LogFormat::text;
    if (same(name, "bundle"sv) || same(name, "b"sv)) out_.bundle = value;
    if (same(name, "config"sv) || same(name, "f"sv)) out_.config = value;
  }

  void take_switch(std::string_view name, bool on) {
    if (same(name, "systemd-cgroup"sv)) out_.systemd_cgroup = on;
    if (same(name, "version"sv) || same(name, "v"sv) || same(name, "V"sv)) out_.version = on;
    if (same(name, "help"sv) || same(name, "h"sv) || same(name, "usage"sv) || same(name, "?"sv)) helps_ = on;
  }

  std::span<const char* const> argv_;
  std::size_t at_ = 1;
  bool helps_ = false;
  Invocation out_;
};

}  // namespace

Invocation parse_invocation(std::span<const char* const> argv) noexcept { return Reader(argv).read(); }

}  // namespace hami::oci
