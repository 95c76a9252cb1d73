#include "runtime-shim/preparation.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

#include "oci-config/apply.h"
#include "oci-config/apply_seccomp.h"
#include "oci-config/base/files.h"
#include "oci-config/base/text.h"
#include "runtime-shim/ceilings.h"
#include "runtime-shim/container/board.h"
#include "runtime-shim/container/reader_group.h"
#include "runtime-shim/own_log.h"
#include "runtime-shim/pod/decision.h"
#include "runtime-shim/pod/pod.h"
#include "runtime-shim/pod/scheduled.h"
#include "runtime-shim/request/engine_devices.h"
#include "runtime-shim/request/requirement.h"
#include "runtime-shim/state/claims.h"
#include "runtime-shim/state/gone.h"
#include "runtime-shim/state/liveness.h"
#include "runtime-shim/subdevices.h"
#include "vendors/recipe_cache.h"

namespace hami::shim {

namespace {

// Claims of Pods that a create looks at for Pods that are gone, beside its own work.
constexpr std::size_t kStaleClaims = 16;
// A create has its turn at the ledger in milliseconds; when hundreds come at once on a busy node, it waits
// rather than fails.
constexpr int kTurnMs = 30'000;
// A turn that came later than this many milliseconds is told in our own log.
constexpr std::int64_t kLateMs = 100;

// An engine of an ordinary user cannot take part in the node's ledger, so it cannot be given a part of a
// device.
Result<> require_ledger(const std::string& state_dir) {
  std::string dir = state_dir;
  while (dir.size() > 1 && ::faccessat(AT_FDCWD, dir.c_str(), F_OK, AT_EACCESS) != 0 && errno == ENOENT)
    dir = files::dir_name(dir);
  if (::faccessat(AT_FDCWD, dir.c_str(), W_OK | X_OK, AT_EACCESS) == 0 || (errno != EACCES && errno != EPERM))
    return {};
  return fail(Errc::denied,
              text::cat({"the node's ledger in ", text::quote(state_dir),
                         " is root's, and this engine runs without root's rights on the node"}),
              "run the engine as root");
}

// No device of a recipe, and nothing else may give one: a sidecar of a Pod with devices.
Result<std::string> without_vendors(oci::Document document, const Request& request,
                                    oci::ContainerEdits edits) {
  for (const auto& [name, value] : request.silenced) {
    edits.env.push_back({name, value, oci::EnvEdit::Op::set});
  }
  HAMI_TRY(const auto edited, oci::apply(std::move(document), edits));
  return edited.serialize();
}

// Nodes of the devices that the request names by specifications. What is wrong with them is said when they
// are given.
oci::ContainerEdits described_devices(const Request& request, const Config& config) {
  std::vector<std::string> names;
  for (const CdiName& cdi : request.cdi) names.push_back(cdi.name);
  if (names.empty()) return {};
  const vendors::CdiHost host{config.cdi_dirs, config.roots.dev, config.paths.hook};
  auto edits = vendors::inject_cdi(names, host, vendors::CdiUse::comparing);
  return edits ? *std::move(edits) : oci::ContainerEdits{};
}

// A vendor that is asked for devices anyway keeps its own request; a scheduler's decision has counted them.
void add_engine_devices_of(const std::string& vendor, Names uuids, Request& request) {
  for (VendorRequest& asked : request.vendors) {
    if (asked.vendor != vendor) continue;
    if (!asked.scheduled) asked.beside = std::move(uuids);
    return;
  }
  VendorRequest given;
  given.vendor = vendor;
  given.by_engine = true;
  given.selector = {{Selector::Kind::named, std::move(uuids)}, kEngineDevices};
  request.vendors.push_back(std::move(given));
}

std::vector<state::Holding> holdings_of(const Allocation& allocation) {
  std::vector<state::Holding> out;
  for (const VendorAllocation& vendor : allocation.vendors) {
    for (const Grant& grant : vendor.grants) out.push_back(grant.holding);
  }
  return out;
}

bool is_by_engine(const VendorRequest& vendor) { return vendor.by_engine; }

bool is_scheduled(const VendorRequest& vendor) { return vendor.scheduled.has_value(); }

bool is_any_scheduled(const Request& request) {
  return std::any_of(request.vendors.begin(), request.vendors.end(), is_scheduled);
}

}  // namespace

// Nothing can be reported from here: the failure that led here is what the user must see.
Preparation::~Preparation() {
  if (key_.empty()) return;
  if (auto ledger = state::Ledger::open_for(config_.roots.state_dir, {}, key_)) (void)ledger->release(key_);
  if (has_driver_slices()) (void)reclaim_subdevices(config_.roots.state_dir);
}

Result<std::optional<Request>> Preparation::request_of(const oci::ContainerView& view) {
  const bool asks = may_request(view, config_.policy) || may_be_recorded(view);
  const bool counts = counts_engine_devices(view, config_.policy);
  if (!asks && !(counts && !view.devices.empty())) return std::optional<Request>();
  HAMI_TRY(recipes_,
           vendors::KeptRecipes::load(config_.recipe_dirs, config_.roots.state_dir + "/recipes.cache"));
  recipes_.choose_platform(config_.roots);
  std::optional<Request> request;
  if (asks) {
    HAMI_TRY(request, asked_of(view));
  }
  const bool has_devices = !view.devices.empty() || (request && !request->cdi.empty());
  // An engine of an ordinary user takes no part in the ledger.
  if (counts && has_devices && require_ledger(config_.roots.state_dir)) {
    HAMI_CHECK(recipes_.complete_all());
    add_engine_devices(view, request);
  }
  return request;
}

Result<std::optional<Request>> Preparation::asked_of(const oci::ContainerView& view) {
  const auto answers = plugins_answers(view);
  const oci::ContainerView answered = with_answers(view, answers);
  std::vector<std::string> warnings;
  auto decisions = read_decisions(answered, config_.policy, &warnings);
  if (decisions) add_plugins_decisions(answers, recipes_.all(), *decisions);
  if (decisions) HAMI_CHECK(complete_decided(*decisions));
  auto request = parse_request(answered, recipes_.all(), config_.policy, std::move(decisions));
  for (const std::string& warning : warnings) append_log(config_.log, "warning", warning);
  return request;
}

// A container is matched with a scheduler's decision by its device nodes too, which the whole recipe names.
Result<> Preparation::complete_decided(const std::vector<PodDecision>& decisions) {
  for (const PodDecision& decision : decisions) HAMI_CHECK(recipes_.complete(decision.vendor));
  return {};
}

// Adds the devices that the engine gave, or that specifications name, vendor by vendor. What stands in the
// way of knowing them is no reason not to start the container.
void Preparation::add_engine_devices(const oci::ContainerView& view, std::optional<Request>& request) {
  oci::ContainerEdits described;
  if (request) described = described_devices(*request, config_);
  for (const vendors::Recipe& recipe : recipes_.all()) {
    auto inventory = vendors::discover(recipe, config_.roots);
    if (!inventory) continue;
    auto uuids = devices_given(view, described.devices, recipe, *inventory);
    if (!uuids) append_log(config_.log, "warning", uuids.error().line());
    if (!uuids || uuids->empty()) continue;
    found_.emplace(recipe.metadata.name, *std::move(inventory));
    if (!request) request.emplace();
    add_engine_devices_of(recipe.metadata.name, *std::move(uuids), *request);
  }
}

// Beside what it asks for the container would have a whole device that nothing holds it back from.
Result<> Preparation::refuse_engine_devices_beside(const Request& request,
                                                   const Allocation& allocation) const {
  for (std::size_t i = 0; i < request.vendors.size(); ++i) {
    const auto& grants = allocation.vendors[i].grants;
    for (const std::string& uuid : request.vendors[i].beside) {
      const bool is_granted =
          std::any_of(grants.begin(), grants.end(), [&](const Grant& grant) { return grant.uuid == uuid; });
      if (is_granted) continue;
      return fail(Errc::invalid_request,
                  text::cat({request.vendors[i].origin(), " asks for devices, and ", kEngineDevices,
                             " has device ", uuid, " besides"}),
                  "ask in one way: by the engine's --device, or by hami-runtime's names");
    }
  }
  return {};
}

// Where the node's configuration says so, the kubelet's own record of what the device plugins answered counts
// for more than anything the container shows.
// In a Pod whose device plugin decided alone.
bool Preparation::may_be_recorded(const oci::ContainerView& view) const {
  const bool is_pods = view.is_kubernetes() && !view.is_sandbox();
  return is_pods && !config_.kubelet_checkpoint.empty() && shows_variables(view);
}

std::vector<schedulers::CheckpointEntry> Preparation::plugins_answers(const oci::ContainerView& view) const {
  if (config_.kubelet_checkpoint.empty() || !view.is_kubernetes()) return {};
  const Pod pod = pod_of(view);
  auto answers = read_answers(config_.kubelet_checkpoint, pod.uid, pod.container);
  if (answers) return *std::move(answers);
  append_log(config_.log, "warning", answers.error().line());
  return {};
}

Result<std::string> Preparation::edit(oci::Document document, oci::ContainerView view, const Request& asked) {
  HAMI_TRY(auto cdi, cdi_edits(asked, view));
  if (asked.vendors.empty()) return without_vendors(std::move(document), asked, std::move(cdi));
  Request request = asked;
  HAMI_CHECK(require_ledger(config_.roots.state_dir));
  HAMI_TRY(const auto reader, reader_group(view));
  name_container(std::move(view));
  HAMI_CHECK(discover(request));
  reclaim();
  HAMI_TRY(Allocation allocation, reserve(request));
  key_ = container_.key;
  HAMI_CHECK(refuse_engine_devices_beside(request, allocation));
  use_modes(allocation);
  HAMI_CHECK(make_subdevices(allocation));

  for (std::size_t i = 0; i < node_.size(); ++i) {
    if (request.vendors[i].by_engine) continue;
    HAMI_CHECK(check_requirements(container_.view, allocation.vendors[i], node_[i]));
  }
  const auto& vendors = request.vendors;
  if (!std::all_of(vendors.begin(), vendors.end(), is_by_engine)) {
    HAMI_TRY(container_.image, inspect_image(container_.rootfs));
  }
  HAMI_TRY(Plan plan, make_plan(request, allocation, node_, container_, config_));
  HAMI_CHECK(oci::merge(plan.edits, std::move(cdi)));
  tell_refused_syscalls(oci::kept_out_syscalls(document, plan.refused_syscalls));
  HAMI_CHECK(write_container_dir(plan, container_.dir, reader));
  if (plan.has_board) {
    HAMI_CHECK(write_board(config_.roots.state_dir, container_.dir, *plan.slice));
  }
  HAMI_TRY(const auto edited, oci::apply(std::move(document), plan.edits));
  return edited.serialize();
}

// The container starts all the same: most programs do without, and the administrator decides.
void Preparation::tell_refused_syscalls(const std::vector<std::string>& syscalls) const {
  if (syscalls.empty()) return;
  append_log(
      config_.log, "warning",
      text::cat({"container ", text::quote(name_.id), ": its recipes need ", text::join(syscalls, ", "),
                 ", which its seccomp filter forbids and [policy] syscalls does not let through"}));
}

void Preparation::name_container(oci::ContainerView view) {
  container_.view = std::move(view);
  container_.key = state::lease_key(name_.engine_root, name_.id);
  container_.dir = text::cat({config_.roots.state_dir, "/containers/", container_.key});
  const std::string& rootfs = container_.view.rootfs;
  container_.rootfs = !rootfs.empty() && rootfs.front() == '/' ? rootfs : name_.bundle + "/" + rootfs;
}

Result<> Preparation::discover(const Request& request) {
  for (const VendorRequest& vendor : request.vendors) {
    HAMI_TRY(const vendors::Recipe* recipe, recipes_.complete(vendor.vendor));
    if (recipe == nullptr) return fail(Errc::internal, text::cat({"recipe ", vendor.vendor, " is gone"}));
    const auto known = found_.find(vendor.vendor);
    auto inventory = known == found_.end() ? vendors::discover(*recipe, config_.roots)
                                           : Result<vendors::Inventory>(known->second);
    if (!inventory) return fail(std::move(inventory).error().within(vendor.origin()));
    node_.push_back({*recipe, *std::move(inventory)});
  }
  return {};
}

bool Preparation::is_prepared() const {
  const std::string key = state::lease_key(name_.engine_root, name_.id);
  const state::Scope ours{config_.roots.state_dir, std::vector<state::DeviceName>{}, key};
  const auto leases = state::Ledger::look(ours).leases;
  return std::any_of(leases.begin(), leases.end(), [&](const state::Lease& lease) {
    return lease.key == key && lease.creator_pid == name_.creator &&
           lease.creator_start == state::start_time(name_.creator);
  });
}

// Devices that specifications describe. What an engine was asked for, and has given, stays as it is.
Result<oci::ContainerEdits> Preparation::cdi_edits(const Request& request,
                                                   const oci::ContainerView& view) const {
  const vendors::CdiHost host{config_.cdi_dirs, config_.roots.dev, config_.paths.hook};
  std::vector<std::string> names;
  for (const CdiName& cdi : request.cdi) {
    if (cdi.engine) {
      const auto edits = vendors::inject_cdi({cdi.name}, host, vendors::CdiUse::comparing);
      if (edits && vendors::has_all(view, *edits)) continue;
    }
    names.push_back(cdi.name);
  }
  if (names.empty()) return oci::ContainerEdits{};
  auto edits = vendors::inject_cdi(names, host, vendors::CdiUse::giving);
  if (!edits) return fail(std::move(edits).error().within(request.cdi.front().origin));
  return edits;
}

bool Preparation::has_driver_slices() const {
  return std::any_of(node_.begin(), node_.end(),
                     [](const VendorNode& node) { return !node.recipe.slice.subdevice.list.empty(); });
}

// What containers that are gone left with the drivers would be in the way. What cannot be destroyed now
// counts as held.
void Preparation::reclaim() {
  if (!has_driver_slices() || !has_subdevices(config_.roots.state_dir)) return;
  (void)state::end_gone(config_.roots.state_dir);
  for (const std::string& problem : reclaim_subdevices(config_.roots.state_dir))
    append_log(config_.log, "warning", problem);
}

// What the ledger knows, and what drivers still have though its lease has ended.
std::vector<state::Lease> Preparation::held(const state::Ledger& ledger) const {
  std::vector<state::Lease> leases = ledger.leases();
  if (!has_driver_slices()) return leases;
  for (state::SubdeviceRecord& record : subdevices_left(config_.roots.state_dir, leases)) {
    leases.emplace_back().holdings.push_back(std::move(record.holding));
  }
  return leases;
}

// From here on each vendor's rules are those of the mode that the container has.
void Preparation::use_modes(const Allocation& allocation) {
  for (std::size_t i = 0; i < node_.size(); ++i) {
    const auto& grants = allocation.vendors[i].grants;
    if (!grants.empty() && grants.front().mode) node_[i] = in_mode(std::move(node_[i]), *grants.front().mode);
  }
}

// Has the vendors' drivers make the slices that they make.
Result<> Preparation::make_subdevices(Allocation& allocation) {
  for (std::size_t i = 0; i < node_.size(); ++i) {
    const vendors::Recipe& recipe = node_[i].recipe;
    if (recipe.slice.subdevice.list.empty()) continue;
    for (Grant& grant : allocation.vendors[i].grants) {
      if (!grant.is_slice()) continue;
      HAMI_TRY(const auto plan,
               vendors::plan_subdevice(recipe, node_[i].inventory, slice_of(grant), config_.roots));
      HAMI_TRY(auto subdevices, Subdevices::open(config_.roots.state_dir));
      HAMI_TRY(grant.subdevice, subdevices.create(lease_, grant.holding, plan));
    }
  }
  return {};
}

// What schedulers decided for this container, by what it shows; its claim is durable before its lease.
Result<> Preparation::obey_schedulers(Request& request) {
  if (!is_any_scheduled(request)) return {};
  const Pod pod = pod_of(container_.view);
  const std::string& dir = config_.roots.state_dir;
  state::PodClaims claims = state::load_claims(dir, pod.uid, pod.sandbox_id);
  claims.engine_root = name_.engine_root;
  bool claimed = false;
  for (std::size_t i = 0; i < request.vendors.size(); ++i) {
    VendorRequest& vendor = request.vendors[i];
    if (!is_scheduled(vendor)) continue;
    const std::string& key = vendor.scheduled->key;
    HAMI_TRY(auto resolution,
             resolve(*vendor.scheduled, node_[i], claims.held_by_others(key, pod.container)));
    if (!resolution.warning.empty()) append_log(config_.log, "warning", resolution.warning);
    vendor.decided = std::move(resolution.decided);
    if (!resolution.group || pod.uid.empty()) continue;
    claims.take(key, *resolution.group, pod.container);
    claimed = true;
  }
  return claimed ? state::save_claims(dir, claims) : Result<>{};
}

// The leases that count for this request: those on the vendors' devices, and for a ceiling the rest of the
// namespace.
state::Scope Preparation::scope() const {
  state::Scope scope{config_.roots.state_dir, std::vector<state::DeviceName>{}, container_.key, kTurnMs};
  const std::string name_space = pod_of(container_.view).name_space;
  if (!config_.policy.namespaces.empty() && !name_space.empty()) scope.devices->push_back({"", name_space});
  for (const VendorNode& node : node_) {
    for (const vendors::Device& device : node.inventory.devices)
      scope.devices->push_back({node.inventory.vendor, device.uuid});
  }
  return scope;
}

// What there is room for, on the devices and in the Pod's namespace.
Result<Allocation> Preparation::within_ceiling(const Request& request,
                                               const std::vector<state::Lease>& leases) const {
  HAMI_TRY(auto allocation, allocate(request, node_, leases, config_.policy));
  HAMI_CHECK(check_ceiling(config_.policy, pod_of(container_.view).name_space, allocation, leases));
  return allocation;
}

void Preparation::tell_late_turn(std::int64_t waited_ms) const {
  append_log(config_.log, "info",
             text::cat({"container ", text::quote(name_.id), ": waited ", std::to_string(waited_ms),
                        " ms for the lock of the ledger"}));
}

// Chooses the devices and makes the lease durable.
Result<Allocation> Preparation::reserve(Request& request) {
  Allocation allocation;
  lease_ = empty_lease(request);
  if (is_any_scheduled(request)) state::drop_stale_claims(config_.roots.state_dir, kStaleClaims);
  HAMI_CHECK(state::in_turn(scope(), [&](state::Ledger& ledger) -> Result<> {
    if (ledger.waited_ms() >= kLateMs) tell_late_turn(ledger.waited_ms());
    for (const std::string& finding : ledger.findings()) append_log(config_.log, "warning", finding);
    HAMI_CHECK(refuse_second_lease(ledger));
    HAMI_CHECK(obey_schedulers(request));
    HAMI_TRY(allocation, within_ceiling(request, held(ledger)));
    lease_.holdings = holdings_of(allocation);
    return ledger.commit(lease_);
  }));
  return allocation;
}

// Another create with the same id is under way, or the container lives: its devices must stay its own.
Result<> Preparation::refuse_second_lease(const state::Ledger& ledger) const {
  for (const state::Lease& lease : ledger.leases()) {
    if (lease.key != container_.key) continue;
    return fail(Errc::invalid_request,
                text::cat({"container ", text::quote(lease.container_id), " already holds devices"}),
                "delete it first, or use another id");
  }
  return {};
}

// A lease of this container that holds nothing yet.
state::Lease Preparation::empty_lease(const Request& request) const {
  state::Lease lease;
  lease.key = container_.key;
  lease.container_id = name_.id;
  lease.engine_root = name_.engine_root;
  lease.bundle = name_.bundle;
  lease.source = request.vendors.front().origin();
  lease.pod_namespace = pod_of(container_.view).name_space;
  lease.boot_id = state::boot_id();
  lease.creator_pid = name_.creator;
  lease.creator_start = state::start_time(lease.creator_pid).value_or(0);
  lease.created_at = std::max<std::int64_t>(std::time(nullptr), 0);
  lease.created_uptime = state::uptime();
  return lease;
}

}  // namespace hami::shim
