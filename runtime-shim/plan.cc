#include "runtime-shim/plan.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "libvgpu/abi/board.h"
#include "oci-config/base/files.h"
#include "oci-config/base/owner.h"
#include "oci-config/base/text.h"
#include "runtime-shim/plugin_mounts.h"
#include "runtime-shim/state/boards.h"
#include "vendors/render.h"

namespace hami::shim {

namespace {

constexpr const char* kHookName = "hami-hook";
// Never empty: a createContainer hook without variables gets the image's under runc.
constexpr const char* kHookPath = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
constexpr int kHookSeconds = 30;
constexpr const char* kNoGlibc =
    "the image has no 64-bit glibc, so the limits of a slice cannot be held in it";
constexpr const char* kAllowUnenforced =
    "ask for whole devices, or set [policy] unenforced = \"allow\" in /etc/hami/config.toml";

bool is_executable(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) && (info.st_mode & 0111U) != 0;
}

Result<> require_file(const std::string& path, bool present, std::string_view key) {
  if (present) return {};
  return fail(Errc::not_found, text::cat({"file ", text::quote(path), " is missing on this node"}),
              text::cat({"reinstall the package, or correct [paths] ", key, " in /etc/hami/config.toml"}));
}

// A library that others could change would run in every container.
Result<> require_library(const std::string& path) {
  struct stat info {};
  HAMI_CHECK(require_file(path, ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode), "libvgpu"));
  const bool ours = files::is_trusted_owner(info.st_uid);
  if (ours && (info.st_mode & 022U) == 0) return {};
  return fail(Errc::denied, text::cat({"library ", text::quote(path), " can be changed by others than root"}),
              "chown it to root and chmod it to 0644");
}

std::vector<vendors::Slice> slices_of(const VendorAllocation& allocation) {
  std::vector<vendors::Slice> slices;
  slices.reserve(allocation.grants.size());
  for (const Grant& grant : allocation.grants) slices.push_back(slice_of(grant));
  return slices;
}

vendors::ContainerFacts facts_of(const Container& container) {
  vendors::ContainerFacts facts;
  facts.key = container.key;
  facts.rootfs = container.rootfs;
  facts.privileged = container.view.privileged;
  facts.debian_layout = container.image.debian_layout;
  for (const auto& [name, value] : container.view.env) facts.env.insert_or_assign(name, value);
  return facts;
}

bool has_slice(const VendorAllocation& allocation) {
  return std::any_of(allocation.grants.begin(), allocation.grants.end(),
                     [](const Grant& grant) { return grant.is_slice(); });
}

bool has_core_limit(const VendorAllocation& allocation) {
  return std::any_of(allocation.grants.begin(), allocation.grants.end(),
                     [](const Grant& grant) { return grant.core_limit.value != 0; });
}

// Whether this vendor's slice gets a preload; a slice that the vendor's driver holds needs none. False also
// where policy accepts that nothing holds it.
Result<bool> is_enforced(const VendorRequest& request, const VendorAllocation& allocation,
                         const vendors::Recipe& recipe, const Image& image, const Policy& policy,
                         bool kernel_holds_memory, bool is_privileged) {
  if (!has_slice(allocation)) return false;
  if (kernel_holds_memory && !has_core_limit(allocation)) return false;
  if (is_privileged && policy.privileged_parts == PrivilegedParts::refuse) {
    return fail(Errc::denied,
                text::cat({request.origin(),
                           ": the container has CAP_SYS_ADMIN and could undo the limits of its part"}),
                "ask for whole devices, or drop the capability");
  }
  std::string why;
  if (recipe.slice.mechanism == vendors::SliceMechanism::none) {
    why = text::cat({"devices of ", request.vendor, " cannot be divided"});
  } else if (!recipe.slice.enforced) {
    why = text::cat({"nothing holds a container to its part of a device of ", request.vendor});
  } else if (recipe.slice.mechanism == vendors::SliceMechanism::vendor) {
    return false;
  } else if (!image.has_glibc) {
    why = kNoGlibc;
  } else if (request.uncontrolled) {
    why = text::cat({request.uncontrolled->origin, " asks to leave the slice without control"});
  } else {
    return true;
  }
  if (policy.unenforced == Unenforced::allow) return false;
  return fail(Errc::denied, text::cat({request.origin(), ": ", why}), kAllowUnenforced);
}

Result<> add_slice_devices(const VendorAllocation& allocation, std::uint32_t memory_wait,
                           abi::SliceFile& slice) {
  for (const Grant& grant : allocation.grants) {
    if (slice.device_count == abi::kMaxDevices || grant.uuid.size() >= sizeof slice.devices[0].uuid) {
      return fail(Errc::invalid_request,
                  text::cat({"a slice has at most ", text::number(abi::kMaxDevices), " devices"}),
                  "ask for fewer devices, or for whole ones");
    }
    abi::SliceDevice& device = slice.devices[slice.device_count++];
    grant.uuid.copy(device.uuid, sizeof device.uuid - 1);
    device.memory_limit = grant.memory_limit.value;
    device.memory_wait = memory_wait;
    // An MPS daemon holds the threads; holding the time as well would take twice.
    device.core_limit = grant.mode == vendors::Mode::mps ? 0 : grant.core_limit.value;
  }
  return {};
}

template <typename T>
T value_of(const std::optional<Stated<T>>& stated, T fallback) {
  return stated ? stated->value : fallback;
}

std::uint32_t memory_wait_of(const VendorRequest& request, const Policy& policy) {
  return value_of(request.memory_wait, policy.memory_wait);
}

void set_modes(const VendorRequest& request, const Policy& policy, abi::SliceFile& slice) {
  slice.core_policy =
      static_cast<std::uint32_t>(value_of(request.core_policy, abi::CorePolicy::work_conserving));
  slice.priority = value_of(request.priority, 1);  // HAMi-core's default: low
  slice.share_floor = policy.share_floor.value * 10;
  // Who is to wait for the card does not want memory of another kind at once.
  const bool overcommitted = policy.memory_scaling.thousandths > 1000 && memory_wait_of(request, policy) == 0;
  if (value_of(request.oversubscribe, overcommitted)) slice.flags |= abi::kSliceOversubscribe;
  if (value_of(request.oom_killer, false)) slice.flags |= abi::kSliceActiveOomKiller;
}

oci::Mount bind(const std::string& source, const char* destination, std::vector<std::string> options) {
  options.insert(options.begin(), {"bind", "nosuid", "nodev"});
  return {destination, source, "bind", std::move(options)};
}

// The image's lines, then these, each once.
std::string preload_text(const std::string& image_lines, const std::vector<std::string>& libraries) {
  std::string out;
  for (const std::string_view line : text::split(image_lines, '\n')) {
    const bool ours = std::find(libraries.begin(), libraries.end(), text::trim(line)) != libraries.end();
    if (!line.empty() && !ours) out += text::cat({line, "\n"});
  }
  for (const std::string& library : libraries) out += library + "\n";
  return out;
}

// Its own board to write, and to read those of all containers on its cards.
void add_board(const Container& container, const Config& config, Plan& plan) {
  plan.has_board = true;
  plan.edits.mounts.push_back(bind(container.dir + "/board", abi::kBoardPath, {"rw", "noexec"}));
  for (std::uint32_t i = 0; i < plan.slice->device_count; ++i) {
    const std::string cards = state::card_dir(config.roots.state_dir, plan.slice->devices[i].uuid);
    if (cards.empty()) continue;
    const std::string place = text::cat({abi::kCardsPath, "/", text::number(i)});
    plan.edits.mounts.push_back(bind(cards, place.c_str(), {"ro", "noexec"}));
  }
}

// One file for all libraries that programs of the container load first.
void add_preload(const Container& container, Plan& plan) {
  std::vector<std::string> libraries = plan.vendor_preload;
  if (plan.slice) libraries.emplace_back(abi::kLibraryPath);
  plan.preload = preload_text(container.image.preload, libraries);
  for (const oci::Mount& mount : container.view.mounts) {
    if (is_replaced_plugin_mount(mount)) plan.edits.drop_mounts.push_back(mount);
  }
  plan.edits.mounts.push_back(bind(container.dir + "/ld.so.preload", "/etc/ld.so.preload", {"ro", "noexec"}));
}

void add_slice(const Container& container, const Config& config, Plan& plan) {
  container.key.copy(plan.slice->container_key, sizeof plan.slice->container_key - 1);
  abi::seal(*plan.slice);
  const std::string& dir = container.dir;
  plan.edits.mounts.push_back(bind(config.paths.libvgpu, abi::kLibraryPath, {"ro"}));
  plan.edits.mounts.push_back(bind(dir + "/slice", abi::kSlicePath, {"ro", "noexec"}));
  plan.edits.mounts.push_back(bind(dir + "/usage", abi::kUsagePath, {"rw", "noexec"}));
}

oci::HookEdit hook(oci::HookStage stage, const Config& config, std::vector<std::string> args) {
  args.insert(args.begin(), kHookName);
  return {stage, config.paths.hook, std::move(args), {kHookPath}, kHookSeconds};
}

void add_hooks(const Container& container, const Config& config, Plan& plan) {
  if (!plan.hook.empty()) {
    plan.edits.hooks.push_back(
        hook(oci::HookStage::create_container, config,
             {"create-container", "--plan", container.dir + "/plan.json", "--root", container.rootfs}));
  }
  plan.edits.hooks.push_back(
      hook(oci::HookStage::poststop, config,
           {"release", "--key", container.key, "--state-dir", config.roots.state_dir}));
}

std::string describe(const Allocation& allocation) {
  std::vector<std::string> parts;
  for (const VendorAllocation& vendor : allocation.vendors) {
    if (vendor.grants.empty()) parts.push_back(text::cat({vendor.vendor, " driver"}));
    for (const Grant& grant : vendor.grants) {
      std::string part = text::cat({vendor.vendor, " ", grant.uuid});
      if (grant.mode && *grant.mode != vendors::Mode::hami_core)
        part += text::cat({" ", to_text(*grant.mode)});
      if (grant.memory_limit.value != 0) part += " " + to_text(grant.memory_limit);
      if (grant.core_limit.value != 0) part += text::cat({" ", text::number(grant.core_limit.value), "%"});
      parts.push_back(std::move(part));
    }
  }
  return text::join(parts, ", ");
}

void append(vendors::HookPlan& plan, const vendors::HookPlan& more) {
  plan.links.insert(plan.links.end(), more.links.begin(), more.links.end());
  plan.ldcache_dirs.insert(plan.ldcache_dirs.end(), more.ldcache_dirs.begin(), more.ldcache_dirs.end());
  plan.libraries.insert(plan.libraries.end(), more.libraries.begin(), more.libraries.end());
  plan.proc_overrides.insert(plan.proc_overrides.end(), more.proc_overrides.begin(),
                             more.proc_overrides.end());
}

// What a device plugin or a CDI injector mounted already stays as it is.
void keep_existing_mounts(const oci::ContainerView& container, std::vector<oci::Mount>& mounts) {
  std::erase_if(mounts, [&](const oci::Mount& mount) {
    return std::any_of(container.mounts.begin(), container.mounts.end(),
                       [&](const oci::Mount& existing) { return existing.destination == mount.destination; });
  });
}

// Programs of the container read the vendor's variable to learn what they were given.
void keep_selector(const Decided& decided, const vendors::Recipe& recipe, const oci::ContainerView& container,
                   std::vector<oci::EnvEdit>& env) {
  if (decided.selector.empty()) return;
  for (const std::string& name : recipe.request.env) {
    if (!container.env_value(name)) continue;
    std::erase_if(env, [&](const oci::EnvEdit& edit) { return edit.name == name; });
    env.push_back({name, decided.selector, oci::EnvEdit::Op::set});
    return;
  }
}

void add_files(std::vector<vendors::ContainerFile> files, const Container& container, Plan& plan) {
  for (auto& file : files) {
    const std::string name = text::cat({container.dir, "/file", text::number(plan.files.size())});
    plan.edits.mounts.push_back(bind(name, file.path.c_str(), {"ro", "noexec"}));
    plan.files.push_back(std::move(file.content));
  }
}

// What the vendor's own libraries hold, they hold only where they are loaded.
Result<> add_vendor_preload(const VendorRequest& request, std::vector<std::string> libraries,
                            const Image& image, const Policy& policy, Plan& plan) {
  if (libraries.empty()) return {};
  if (image.has_glibc) {
    plan.vendor_preload.insert(plan.vendor_preload.end(), libraries.begin(), libraries.end());
    return {};
  }
  if (policy.unenforced == Unenforced::allow) return {};
  return fail(Errc::denied, text::cat({request.origin(), ": ", kNoGlibc}), kAllowUnenforced);
}

Result<> add_vendor(const VendorRequest& request, const VendorAllocation& allocation, const VendorNode& node,
                    const Container& container, const Policy& policy, Plan& plan) {
  HAMI_TRY(const auto capabilities,
           vendors::select_capabilities(node.recipe.capabilities, request.capabilities));
  HAMI_TRY(auto rendered, vendors::render(node.recipe, node.inventory, slices_of(allocation), capabilities,
                                          facts_of(container)));
  if (request.decided) {
    keep_existing_mounts(container.view, rendered.edits.mounts);
    keep_selector(*request.decided, node.recipe, container.view, rendered.edits.env);
  }
  std::erase_if(rendered.edits.syscalls, [&](const std::string& syscall) {
    const auto& allowed = policy.syscalls;
    const bool is_refused = std::find(allowed.begin(), allowed.end(), syscall) == allowed.end();
    if (is_refused) plan.refused_syscalls.push_back(syscall);
    return is_refused;
  });
  for (const oci::Mount& mount : container.view.mounts) {
    const auto& places = rendered.replaced;
    if (std::find(places.begin(), places.end(), mount.destination) != places.end())
      rendered.edits.drop_mounts.push_back(mount);
  }
  HAMI_CHECK(oci::merge(plan.edits, std::move(rendered.edits)));
  append(plan.hook, rendered.plan);
  add_files(std::move(rendered.files), container, plan);
  HAMI_CHECK(add_vendor_preload(request, std::move(rendered.preload), container.image, policy, plan));
  HAMI_TRY(const bool enforced, is_enforced(request, allocation, node.recipe, container.image, policy,
                                            rendered.kernel_holds_memory, container.view.privileged));
  if (!enforced) return {};
  if (!plan.slice) plan.slice.emplace();
  set_modes(request, policy, *plan.slice);
  return add_slice_devices(allocation, memory_wait_of(request, policy), *plan.slice);
}

}  // namespace

vendors::Slice slice_of(const Grant& grant) {
  return {static_cast<std::uint32_t>(grant.device),
          grant.memory_limit,
          grant.core_limit,
          grant.holding.exclusive && !grant.is_slice(),
          grant.holding.slot,
          grant.holding.parts,
          grant.subdevice,
          grant.mode};
}

Result<Plan> make_plan(const Request& request, const Allocation& allocation,
                       const std::vector<VendorNode>& node, const Container& container,
                       const Config& config) {
  Plan plan;
  for (std::size_t i = 0; i < request.vendors.size(); ++i) {
    if (request.vendors[i].by_engine) continue;
    HAMI_CHECK(
        add_vendor(request.vendors[i], allocation.vendors[i], node[i], container, config.policy, plan));
  }
  if (plan.slice) {
    HAMI_CHECK(require_library(config.paths.libvgpu));
    add_slice(container, config, plan);
  }
  if (plan.slice || !plan.vendor_preload.empty()) add_preload(container, plan);
  if (plan.slice && config.policy.card_boards) add_board(container, config, plan);
  HAMI_CHECK(require_file(config.paths.hook, is_executable(config.paths.hook), "hook"));
  add_hooks(container, config, plan);
  for (const auto& [name, value] : request.silenced) {
    oci::ContainerEdits silence;
    silence.env.push_back({name, value, oci::EnvEdit::Op::set});
    HAMI_CHECK(oci::merge(plan.edits, std::move(silence)));
  }
  uncover_plugin_libraries(container.view, plan.edits);
  plan.edits.annotations[kAllocatedAnnotation] = describe(allocation);
  HAMI_CHECK(oci::validate(plan.edits));
  return plan;
}

}  // namespace hami::shim
