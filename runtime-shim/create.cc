#include "runtime-shim/create.h"

#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <optional>

#include "oci-config/base/files.h"
#include "oci-config/base/text.h"
#include "oci-config/document.h"
#include "oci-config/view.h"
#include "runtime-shim/container/original.h"
#include "runtime-shim/low_level/low_level.h"
#include "runtime-shim/preparation.h"
#include "runtime-shim/request/engine_devices.h"

namespace hami::shim {

namespace {

std::string absolute(std::string_view path) {
  if (!path.empty() && path.front() == '/') return std::string(path);
  char* cwd = ::get_current_dir_name();
  std::string out = cwd == nullptr ? "" : cwd;
  std::free(cwd);
  if (path.empty() || path == ".") return out;
  return text::cat({out, "/", path});
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// The bundle of one invocation, as far as it was read.
struct Bundle {
  std::string dir;
  std::string config_path;
  std::string text;   // config.json as the engine wrote it
  std::string found;  // config.json as it was found; the same unless an earlier create edited it
};

// Puts the bundle back as it was found. Nothing can be reported from here: the failure that led here is what
// the user must see.
class Undo {
 public:
  explicit Undo(const Bundle& bundle) : bundle_(bundle) {}
  Undo(const Undo&) = delete;
  Undo& operator=(const Undo&) = delete;

  void original_kept() { kept_ = true; }
  void config_replaced() { replaced_ = true; }

  ~Undo() {
    if (replaced_) (void)files::replace(bundle_.config_path, bundle_.found);
    if (!kept_) return;
    if (bundle_.found == bundle_.text) {
      forget_original(bundle_.config_path);
    } else {
      (void)keep_original(bundle_.config_path, bundle_.text, bundle_.found);
    }
  }

 private:
  const Bundle& bundle_;
  bool kept_ = false;
  bool replaced_ = false;
};

class Creation {
 public:
  Creation(const oci::Invocation& invocation, char* const* argv, const Config& config)
      : invocation_(invocation), argv_(argv), config_(config) {}

  Error run() {
    auto low_level = find_low_level(config_.low_level, environment("PATH"));
    if (!low_level) return std::move(low_level).error();
    if (invocation_.ambiguous || invocation_.container_id.empty()) return become(*low_level, argv_);

    bundle_.dir = absolute(invocation_.bundle);
    Preparation preparation(config_, {std::string(invocation_.container_id),
                                      engine_root(invocation_, *low_level), bundle_.dir, ::getpid()});
    Undo undo(bundle_);
    if (auto done = edit_bundle(preparation, undo); !done) return std::move(done).error();
    return become(*low_level, argv_);
  }

 private:
  Result<> edit_bundle(Preparation& preparation, Undo& undo) {
    const std::string_view name = invocation_.config.empty() ? "config.json" : invocation_.config;
    bundle_.config_path = name.front() == '/' ? std::string(name) : text::cat({bundle_.dir, "/", name});
    auto text = files::read(bundle_.config_path, oci::kMaxDocumentBytes);
    // The low-level runtime knows best what to say about a bundle without a config.json.
    if (!text && text.error().code == Errc::not_found) return {};
    if (!text) return fail(std::move(text).error());
    bundle_.text = bundle_.found = *std::move(text);
    if (!oci::may_contain(bundle_.text, request_needles()) && !may_have_device(bundle_.text)) return {};

    HAMI_CHECK(parse());
    HAMI_TRY(const auto request, preparation.request_of(view_));
    if (!request) return {};
    if (bundle_.found != bundle_.text && preparation.is_prepared()) return {};
    HAMI_CHECK(check_bundle());
    HAMI_TRY(const auto edited, preparation.edit(*std::move(document_), std::move(view_), *request));
    return write_back(edited, undo);
  }

  // Reads the document; one that an earlier create edited is put back first.
  Result<> parse() {
    HAMI_CHECK(parse_text());
    if (!view_.annotation(kAllocatedAnnotation)) return {};
    HAMI_TRY(bundle_.text, original_of(bundle_.config_path, bundle_.found));
    return parse_text();
  }

  Result<> parse_text() {
    const auto in_file = [&](Error error) {
      return fail(std::move(error).within(text::quote(bundle_.config_path)));
    };
    auto document = oci::Document::parse(bundle_.text);
    if (!document) return in_file(std::move(document).error());
    document_.emplace(*std::move(document));
    auto view = oci::view(*document_);
    if (!view) return in_file(std::move(view).error());
    view_ = *std::move(view);
    return {};
  }

  // Before anything is taken: may this config.json be replaced at all?
  Result<> check_bundle() {
    if (!view_.has_process) {
      return fail(Errc::invalid_spec, text::cat({text::quote(bundle_.config_path), ": process is missing"}),
                  "a container without a program cannot use a device");
    }
    HAMI_TRY(const std::string trusted,
             files::read_trusted(bundle_.config_path, oci::kMaxDocumentBytes, files::Trust::root_owned));
    if (trusted == bundle_.found) return {};
    return fail(Errc::io, text::cat({text::quote(bundle_.config_path), " changed while it was read"}));
  }

  Result<> write_back(const std::string& edited, Undo& undo) {
    HAMI_CHECK(keep_original(bundle_.config_path, bundle_.text, edited));
    undo.original_kept();
    HAMI_CHECK(files::replace(bundle_.config_path, edited));
    undo.config_replaced();
    return {};
  }

  const oci::Invocation& invocation_;
  char* const* argv_;
  const Config& config_;
  Bundle bundle_;
  std::optional<oci::Document> document_;
  oci::ContainerView view_;
};

}  // namespace

std::string engine_root(const oci::Invocation& invocation, const std::string& low_level) {
  if (!invocation.root.empty()) return absolute(invocation.root);
  const std::string user_dir = environment("XDG_RUNTIME_DIR");
  const std::string base = ::geteuid() == 0 || user_dir.empty() ? "/run" : user_dir;
  return text::cat({base, "/", files::base_name(low_level)});
}

Error create(const oci::Invocation& invocation, char* const* argv, const Config& config) {
  return Creation(invocation, argv, config).run();
}

Error in_plain_words(Error error) {
  if (error.os_error == 0) return error;
  const std::string phrase = std::strerror(error.os_error);
  const auto at = error.message.find(phrase);
  if (at == std::string::npos) return error;
  const auto words = [&]() -> std::string {
    switch (error.os_error) {
      case ENOENT:
        return "is missing";
      case EACCES:
      case EPERM:
        return "access is refused";
      case EROFS:
        return "the file system is read-only";
      case ENOSPC:
      case EDQUOT:
        return "the file system is full";
      case ENOTDIR:
        return "a part of the path is no directory";
      default:
        return text::lower(phrase);
    }
  }();
  error.message.replace(at, phrase.size(), words);
  return error;
}

}  // namespace hami::shim
