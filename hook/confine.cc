#include "hook/confine.h"

#include <fcntl.h>
#include <linux/securebits.h>
#include <signal.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>

#include "hook/confine_filter.h"

namespace hami::hook {

namespace {

struct Limit {
  __rlimit_resource resource;
  rlim_t value;
};

constexpr rlim_t kMebibyte = 1U << 20U;

constexpr std::array kHookLimits{Limit{RLIMIT_CORE, 0}, Limit{RLIMIT_CPU, 30}, Limit{RLIMIT_NOFILE, 256},
                                 Limit{RLIMIT_FSIZE, 64 * kMebibyte}, Limit{RLIMIT_AS, 2048 * kMebibyte}};

// A cache of 16 MiB names some hundred thousand libraries; the time is what a hostile image can cost a start.
constexpr std::array kLdconfigLimits{Limit{RLIMIT_CORE, 0}, Limit{RLIMIT_CPU, 10}, Limit{RLIMIT_NOFILE, 64},
                                     Limit{RLIMIT_FSIZE, 16 * kMebibyte}, Limit{RLIMIT_AS, 2048 * kMebibyte}};

// Mounts and mount namespaces; the root of a child; directories of the image that belong to other users; and
// what the child needs to give up the rest.
constexpr std::array kCreateContainerCapabilities{CAP_SYS_ADMIN, CAP_SYS_CHROOT, CAP_DAC_OVERRIDE,
                                                  CAP_SETPCAP};

// And the way into a mount namespace that a process of the container names.
constexpr std::array kCreateRuntimeCapabilities{CAP_SYS_ADMIN, CAP_SYS_CHROOT, CAP_DAC_OVERRIDE, CAP_SETPCAP,
                                                CAP_SYS_PTRACE};

// The directory of a container in a user namespace belongs to that container's root.
constexpr std::array kReleaseCapabilities{CAP_DAC_OVERRIDE};

struct FreeCapabilities {
  void operator()(cap_t set) const noexcept { cap_free(set); }
};
using CapabilitySet = std::unique_ptr<std::remove_pointer_t<cap_t>, FreeCapabilities>;

std::span<const cap_value_t> capabilities_of(Profile profile) {
  switch (profile) {
    case Profile::create_container:
      return kCreateContainerCapabilities;
    case Profile::create_runtime:
      return kCreateRuntimeCapabilities;
    case Profile::release:
      return kReleaseCapabilities;
    case Profile::ldconfig:
      return {};
  }
  return {};
}

std::span<const Limit> limits_of(Profile profile) {
  if (profile == Profile::ldconfig) return kLdconfigLimits;
  return kHookLimits;
}

bool contains(std::span<const cap_value_t> set, cap_value_t value) {
  return std::find(set.begin(), set.end(), value) != set.end();
}

// Permitted and effective become `keep`, as far as it was permitted; inheritable and ambient become empty.
Result<> keep_capabilities(std::span<const cap_value_t> keep) {
  const CapabilitySet had(cap_get_proc());
  const CapabilitySet wanted(cap_init());
  if (!had || !wanted) return fail_errno("read", "capabilities");
  for (const cap_value_t value : keep) {
    cap_flag_value_t permitted = CAP_CLEAR;
    cap_get_flag(had.get(), value, CAP_PERMITTED, &permitted);
    if (permitted == CAP_CLEAR) continue;
    cap_set_flag(wanted.get(), CAP_PERMITTED, 1, &value, CAP_SET);
    cap_set_flag(wanted.get(), CAP_EFFECTIVE, 1, &value, CAP_SET);
  }
  if (cap_set_proc(wanted.get()) != 0) return fail_errno("drop", "capabilities");
  return {};
}

Result<> drop_bounding_set(std::span<const cap_value_t> keep) {
  for (cap_value_t value = 0; value < cap_max_bits(); ++value) {
    if (contains(keep, value) || cap_get_bound(value) <= 0) continue;
    if (cap_drop_bound(value) != 0) return fail_errno("drop", "the capability bounding set");
  }
  return {};
}

// uid 0 is a user like others from here on: exec gives it no capability.
Result<> end_root_rule() {
  constexpr unsigned kBits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
                             SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |
                             SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;
  if (::prctl(PR_SET_SECUREBITS, kBits, 0, 0, 0) != 0) return fail_errno("set", "securebits");
  return {};
}

Result<> lower_limits(std::span<const Limit> limits) {
  for (const Limit& limit : limits) {
    rlimit now{};
    if (::getrlimit(limit.resource, &now) != 0) return fail_errno("read", "resource limits");
    const rlim_t value = std::min(limit.value, now.rlim_max);
    const rlimit lower{value, value};
    if (::setrlimit(limit.resource, &lower) != 0) return fail_errno("set", "resource limits");
  }
  return {};
}

// Descriptors 0 to 2 must exist, or the next open would become a standard stream.
void ensure_standard_streams() {
  for (int fd = 0; fd <= 2; ++fd) {
    if (::fcntl(fd, F_GETFD) >= 0) continue;
    if (::open("/dev/null", O_RDWR) < 0) std::abort();  // NOLINT(android-cloexec-open): becomes this stream
  }
}

// Signal handler: only calls that are safe there.
void on_alarm(int /*signal*/) {
  constexpr std::string_view kMessage = "hami-hook: out of time\n";
  static_cast<void>(!::write(STDERR_FILENO, kMessage.data(), kMessage.size()));
  ::_exit(EXIT_FAILURE);
}

}  // namespace

Result<> isolate_process(unsigned seconds) {
  if (::syscall(SYS_close_range, 3U, ~0U, 0U) != 0) return fail_errno("close", "inherited descriptors");
  ensure_standard_streams();
  if (::chdir("/") != 0) return fail_errno("enter", "/");
  ::umask(022);
  if (::clearenv() != 0) return fail(Errc::internal, "clear the environment: out of memory");
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return fail_errno("set", "dumpable");
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGALRM, on_alarm);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::alarm(seconds);
  return lower_limits(std::array{Limit{RLIMIT_CORE, 0}});
}

Result<> confine(Profile profile) {
  const auto keep = capabilities_of(profile);
  HAMI_CHECK(drop_bounding_set(keep));
  HAMI_CHECK(end_root_rule());
  if (cap_reset_ambient() != 0) return fail_errno("clear", "ambient capabilities");
  HAMI_CHECK(keep_capabilities(keep));
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail_errno("set", "no_new_privs");
  HAMI_CHECK(lower_limits(limits_of(profile)));
  return load_filter(profile);
}

}  // namespace hami::hook
