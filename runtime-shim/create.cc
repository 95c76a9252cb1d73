#include "runtime-shim/create.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "oci-config/apply.h"
#include "oci-config/base/files.h"
#include "oci-config/base/text.h"
#include "oci-config/document.h"
#include "runtime-shim/low_level.h"
#include "runtime-shim/original.h"
#include "runtime-shim/own_log.h"
#include "runtime-shim/plan.h"
#include "runtime-shim/reader_group.h"
#include "runtime-shim/state/liveness.h"
#include "vendors/recipe_yaml.h"

namespace hami::shim {

namespace {

// Leases that a create looks at for containers that are gone, beside its own work; all of them only when
// there is no room.
constexpr std::size_t kStaleChecks = 16;

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

std::int64_t now() { return static_cast<std::int64_t>(std::time(nullptr)); }

// The bundle of one invocation, as far as it was read.
struct Bundle {
  std::string dir;
  std::string config_path;
  std::string text;   // config.json as the engine wrote it
  std::string found;  // config.json as it was found; the same unless an earlier create edited it
};

// Gives everything back that a failed create has taken. Nothing can be reported from here: the failure that
// led here is what the user must see.
class Undo {
 public:
  Undo(const Config& config, const Bundle& bundle) : config_(config), bundle_(bundle) {}
  Undo(const Undo&) = delete;
  Undo& operator=(const Undo&) = delete;

  void lease_taken(const std::string& key) { key_ = key; }
  void original_kept() { kept_ = true; }
  void config_replaced() { replaced_ = true; }

  ~Undo() {
    if (replaced_) (void)files::replace(bundle_.config_path, bundle_.found);
    if (kept_) restore_kept();
    if (key_.empty()) return;
    if (auto ledger = state::Ledger::open(config_.roots.state_dir)) (void)ledger->release(key_);
  }

 private:
  void restore_kept() {
    if (bundle_.found == bundle_.text) {
      forget_original(bundle_.config_path);
    } else {
      (void)keep_original(bundle_.config_path, bundle_.text, bundle_.found);
    }
  }

  const Config& config_;
  const Bundle& bundle_;
  std::string key_;
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
    low_level_ = *std::move(low_level);
    if (invocation_.ambiguous || invocation_.container_id.empty()) return become(low_level_, argv_);

    Undo undo(config_, bundle_);
    auto request = read_request();
    if (!request) return std::move(request).error();
    if (*request) {
      if (auto prepared = prepare(**request, undo); !prepared) return std::move(prepared).error();
    }
    return become(low_level_, argv_);
  }

 private:
  Result<std::optional<Request>> read_request() {
    std::optional<Request> nothing;
    bundle_.dir = absolute(invocation_.bundle);
    const std::string_view name = invocation_.config.empty() ? "config.json" : invocation_.config;
    bundle_.config_path = name.front() == '/' ? std::string(name) : text::cat({bundle_.dir, "/", name});
    auto text = files::read(bundle_.config_path, oci::kMaxDocumentBytes);
    // The low-level runtime knows best what to say about a bundle without a config.json.
    if (!text && text.error().code == Errc::not_found) return nothing;
    if (!text) return fail(std::move(text).error());
    bundle_.text = bundle_.found = *std::move(text);
    if (!oci::may_contain(bundle_.text, request_needles())) return nothing;

    HAMI_CHECK(parse());
    if (!may_request(container_.view, config_.policy)) return nothing;
    HAMI_TRY(recipes_, vendors::load_recipes(config_.recipe_dirs));
    return parse_request(container_.view, recipes_, config_.policy);
  }

  // Reads the document; one that an earlier create edited is put back first.
  Result<> parse() {
    HAMI_CHECK(parse_text());
    if (!container_.view.annotation(kAllocatedAnnotation)) return {};
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
    container_.view = *std::move(view);
    return {};
  }

  Result<> prepare(const Request& request, Undo& undo) {
    HAMI_CHECK(check_bundle());
    HAMI_CHECK(discover(request));
    HAMI_TRY(const Allocation allocation, reserve(request));
    undo.lease_taken(container_.key);

    HAMI_TRY(container_.image, inspect_image(container_.rootfs));
    HAMI_TRY(const Plan plan, make_plan(request, allocation, node_, container_, config_));
    HAMI_CHECK(write_container_dir(plan, container_.dir, reader_));
    HAMI_TRY(const auto edited, oci::apply(*std::move(document_), plan.edits));
    return write_back(edited.serialize(), undo);
  }

  // Before anything is taken: may this config.json be replaced at all?
  Result<> check_bundle() {
    if (!container_.view.has_process) {
      return fail(Errc::invalid_spec, text::cat({text::quote(bundle_.config_path), ": process is missing"}),
                  "a container without a program cannot use a device");
    }
    HAMI_TRY(const std::string trusted,
             files::read_trusted(bundle_.config_path, oci::kMaxDocumentBytes, files::Trust::root_owned));
    if (trusted != bundle_.found) {
      return fail(Errc::io, text::cat({text::quote(bundle_.config_path), " changed while it was read"}));
    }
    const std::string root = engine_root(invocation_, low_level_);
    container_.key = state::lease_key(root, std::string(invocation_.container_id));
    container_.dir = text::cat({config_.roots.state_dir, "/containers/", container_.key});
    HAMI_TRY(reader_, reader_group(container_.view));
    const std::string& rootfs = container_.view.rootfs;
    container_.rootfs = !rootfs.empty() && rootfs.front() == '/' ? rootfs : bundle_.dir + "/" + rootfs;
    return {};
  }

  Result<> discover(const Request& request) {
    for (const VendorRequest& vendor : request.vendors) {
      const auto recipe = std::find_if(
          recipes_.begin(), recipes_.end(),
          [&](const vendors::Recipe& candidate) { return candidate.metadata.name == vendor.vendor; });
      auto inventory = vendors::discover(*recipe, config_.roots);
      if (!inventory) return fail(std::move(inventory).error().within(vendor.origin()));
      node_.push_back({*recipe, *std::move(inventory)});
    }
    return {};
  }

  // Chooses the devices and makes the lease durable, under the ledger's lock.
  Result<Allocation> reserve(const Request& request) {
    HAMI_TRY(auto ledger, state::Ledger::open(config_.roots.state_dir));
    for (const std::string& finding : ledger.findings()) append_log(config_.log, "warning", finding);
    HAMI_CHECK(refuse_second_lease(ledger));
    HAMI_CHECK(ledger.release_stale(kStaleChecks));
    auto allocation = allocate(request, node_, ledger.leases(), config_.policy);
    if (!allocation && allocation.error().code == Errc::exhausted) {
      HAMI_CHECK(ledger.release_stale());
      allocation = allocate(request, node_, ledger.leases(), config_.policy);
    }
    if (!allocation) return allocation;
    HAMI_CHECK(ledger.commit(lease(request, *allocation)));
    return allocation;
  }

  // Another create with the same id is under way, or the container lives: its devices must stay its own.
  Result<> refuse_second_lease(state::Ledger& ledger) {
    for (const state::Lease& lease : ledger.leases()) {
      if (lease.key != container_.key) continue;
      if (state::is_stale(lease)) return ledger.release(container_.key);
      return fail(Errc::invalid_request,
                  text::cat({"container ", text::quote(lease.container_id), " already holds devices"}),
                  "delete it first, or use another id");
    }
    return {};
  }

  state::Lease lease(const Request& request, const Allocation& allocation) {
    state::Lease lease;
    lease.key = container_.key;
    lease.container_id = std::string(invocation_.container_id);
    lease.engine_root = engine_root(invocation_, low_level_);
    lease.bundle = bundle_.dir;
    lease.source = request.vendors.front().origin();
    lease.boot_id = state::boot_id();
    lease.creator_pid = ::getpid();
    lease.creator_start = state::start_time(lease.creator_pid).value_or(0);
    lease.created_at = now();
    for (const VendorAllocation& vendor : allocation.vendors) {
      for (const Grant& grant : vendor.grants) lease.holdings.push_back(grant.holding);
    }
    return lease;
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
  std::string low_level_;
  Bundle bundle_;
  std::optional<oci::Document> document_;
  Container container_;
  std::optional<gid_t> reader_;
  std::vector<vendors::Recipe> recipes_;
  std::vector<VendorNode> node_;
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
