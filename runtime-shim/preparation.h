// The devices of one container: from what its document asks for to the edited document.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "oci-config/base/result.h"
#include "oci-config/document.h"
#include "oci-config/view.h"
#include "runtime-shim/config.h"
#include "runtime-shim/plan.h"
#include "runtime-shim/pod/plugin_answers.h"
#include "runtime-shim/request/request.h"
#include "runtime-shim/state/ledger.h"
#include "vendors/recipe_cache.h"

namespace hami::shim {

// Which container of which engine, for its lease.
struct ContainerName {
  std::string id;
  std::string engine_root;  // see state::Lease
  std::string bundle;       // absolute; a relative root.path is below it
  pid_t creator = 0;        // the process that lives until the low-level runtime knows the container
};

// What was taken is given back when this object ends, unless keep() was called: the lease, and with it the
// container's directory.
class Preparation {
 public:
  Preparation(const Config& config, ContainerName name) : config_(config), name_(std::move(name)) {}
  Preparation(const Preparation&) = delete;
  Preparation& operator=(const Preparation&) = delete;
  ~Preparation();

  // For a container whose name is known later than what it asks for; before edit().
  void set_name(ContainerName name) { name_ = std::move(name); }

  // What the container asks for; nullopt when nothing.
  [[nodiscard]] Result<std::optional<Request>> request_of(const oci::ContainerView& view);

  // Chooses the devices, makes the lease durable, writes the container's directory, and returns the document
  // with all of it. `view` is of `document`, `request` is what request_of returned for it.
  [[nodiscard]] Result<std::string> edit(oci::Document document, oci::ContainerView view,
                                         const Request& request);

  // This very process prepared the container before, and became hami-runtime once more: nothing is left to
  // do.
  [[nodiscard]] bool is_prepared() const;

  // The container goes on to be created: nothing is given back.
  void keep() { key_.clear(); }

 private:
  [[nodiscard]] bool may_be_recorded(const oci::ContainerView& view) const;
  [[nodiscard]] std::vector<schedulers::CheckpointEntry> plugins_answers(
      const oci::ContainerView& view) const;
  void name_container(oci::ContainerView view);
  [[nodiscard]] Result<std::optional<Request>> asked_of(const oci::ContainerView& view);
  Result<> complete_decided(const std::vector<PodDecision>& decisions);
  void add_engine_devices(const oci::ContainerView& view, std::optional<Request>& request);
  Result<> refuse_engine_devices_beside(const Request& request, const Allocation& allocation) const;
  Result<> discover(const Request& request);
  Result<> obey_schedulers(Request& request);
  Result<Allocation> reserve(Request& request);
  [[nodiscard]] state::Scope scope() const;
  void tell_late_turn(std::int64_t waited_ms) const;
  [[nodiscard]] Result<Allocation> within_ceiling(const Request& request,
                                                  const std::vector<state::Lease>& leases) const;
  void tell_refused_syscalls(const std::vector<std::string>& syscalls) const;
  [[nodiscard]] Result<> refuse_second_lease(const state::Ledger& ledger) const;
  Result<oci::ContainerEdits> cdi_edits(const Request& request, const oci::ContainerView& view) const;
  [[nodiscard]] bool has_driver_slices() const;
  void reclaim();
  [[nodiscard]] std::vector<state::Lease> held(const state::Ledger& ledger) const;
  void use_modes(const Allocation& allocation);
  Result<> make_subdevices(Allocation& allocation);
  [[nodiscard]] state::Lease empty_lease(const Request& request) const;

  const Config& config_;
  ContainerName name_;
  std::string key_;  // of the lease that is ours to give back
  state::Lease lease_;
  Container container_;
  vendors::KeptRecipes recipes_;
  std::map<std::string, vendors::Inventory> found_;  // by vendor, before node_ is made
  std::vector<VendorNode> node_;
};

}  // namespace hami::shim
