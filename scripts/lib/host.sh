# Shared by the scripts: packages, progress, and a host that can run containers. Sourced, never run.

HAMI_BUILD_PACKAGES=(
  ca-certificates clang-format cmake g++ gcc jq libcap-dev libexpected-dev libgmock-dev libgtest-dev libjson-c-dev
  libseccomp-dev libtomlplusplus-dev libudev-dev libyaml-dev make ninja-build pkg-config python3
)
HAMI_RUN_PACKAGES=(busybox-static crun iproute2 kmod libc-bin mount procps runc util-linux)
HAMI_TEST_PACKAGES=(
  bats binutils clang clang-tidy conmon containerd docker.io file gawk g++-aarch64-linux-gnu git libgrpc++-dev
  libprotobuf-dev lld musl-tools podman protobuf-compiler strace uidmap xz-utils
)

# One line of progress, with the seconds since the script began.
say() {
  printf '\033[1m[%4ds]\033[0m %s\n' "$SECONDS" "$*"
}

die() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

require_root() {
  [ "$(id -u)" = 0 ] || die "must run as root: it makes device nodes, mounts and containers; use sudo $0"
}

# install_packages NAME...: installs what is missing, silently when nothing is.
install_packages() {
  local missing=() name
  for name in "$@"; do
    dpkg-query -W -f '${Status}\n' "$name" 2>/dev/null | grep -q 'ok installed' || missing+=("$name")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null || die "needs the Debian packages ${missing[*]}, and there is no apt-get to install them"
  say "installing ${#missing[@]} packages by apt"
  local log
  log=$(mktemp)
  # Services of the packages must not start: the tests run their own daemons with their own data.
  if ! { apt-get update && DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 POLICYRCD_ALLOW=no \
         apt-get install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    die "apt-get could not install ${missing[*]}"
  fi
  rm -f "$log"
}

# install_known_packages NAME...: those of them that this release has; what needs one that it lacks says so itself.
install_known_packages() {
  local name
  for name in "$@"; do
    ! apt-cache show "$name" >/dev/null 2>&1 || install_packages "$name"
  done
}

is_mounted() {
  awk -v path="$1" '$5 == path { found = 1 } END { exit !found }' /proc/self/mountinfo 2>/dev/null
}

mount_missing_file_systems() {
  [ -e /proc/self/mountinfo ] || mount -t proc proc /proc || return 1
  [ -d /sys/kernel ] || mount -t sysfs sysfs /sys || return 1
  [ -c /dev/null ] || mount -t devtmpfs devtmpfs /dev || return 1
  if [ ! -e /dev/pts/ptmx ]; then
    mkdir -p /dev/pts && mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts /dev/pts || return 1
  fi
  if ! is_mounted /dev/shm; then mkdir -p /dev/shm && mount -t tmpfs tmpfs /dev/shm || return 1; fi
  if ! is_mounted /run; then mkdir -p /run && mount -t tmpfs -o mode=0755 tmpfs /run || return 1; fi
  mount_cgroups
}

# The controllers where the kernel has them: version 2 when nobody uses version 1, else one mount per controller.
mount_cgroups() {
  ! is_mounted /sys/fs/cgroup || return 0
  local name
  if ! awk '!/^#/ && $2 > 0 { used = 1 } END { exit !used }' /proc/cgroups; then
    mount -t cgroup2 cgroup2 /sys/fs/cgroup && return 0
  fi
  mount -t tmpfs -o mode=0755 tmpfs /sys/fs/cgroup || return 1
  for name in $(awk '!/^#/ && $2 > 0 { print $1 }' /proc/cgroups); do
    mkdir -p "/sys/fs/cgroup/$name"
    mount -t cgroup -o "$name" cgroup "/sys/fs/cgroup/$name" || rmdir "/sys/fs/cgroup/$name"
  done
}

# Runs the calling script again in a mount namespace of its own in which containers can be made, also inside a plain
# chroot: runc's pivot_root needs a root that is a mount point, and /proc, /sys, /dev and the cgroups must be there.
# Nothing that is mounted here outlives the script. Call with the script's own arguments.
enter_container_host() {
  [ -z "${HAMI_CONTAINER_HOST:-}" ] || return 0
  export HAMI_CONTAINER_HOST=1
  local script library
  script=$(readlink -f "$0")
  library=$(readlink -f "${BASH_SOURCE[0]}")
  if is_mounted /; then
    exec unshare --mount --propagation private -- bash -c '. "$1"; shift; run_in_host "$@"' bash "$library" "$script" "$@"
  fi
  exec unshare --mount --propagation unchanged -- bash -c '. "$1"; shift; run_in_chroot "$@"' bash "$library" "$script" "$@"
}

run_in_host() {
  mount_missing_file_systems || die "cannot mount what containers need (/proc, /sys, /dev, cgroups)"
  exec bash "$@"
}

# In a chroot the root is made the root of a mount namespace first; see own-root.
run_in_chroot() {
  local lib
  lib=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
  [ -e /proc/self/ns/mnt ] || mount -t proc proc /proc || die "cannot mount /proc"
  exec "$lib/own-root" bash -c '. "$1"; cd "$2" && shift 2 && run_in_host "$@"' bash "$lib/host.sh" "$PWD" "$@"
}

# configure_and_build PRESET [TARGET...]: the log is shown only when something fails.
configure_and_build() {
  local preset=$1 log
  shift
  mkdir -p build
  log=build/$preset.log
  # A library path of the caller could slip a foreign libcuda into the test programs.
  unset LIBRARY_PATH CPATH
  if ! { cmake --preset "$preset" && cmake --build --preset "$preset" ${1:+--target "$@"}; } >"$log" 2>&1; then
    grep -E -m 20 'error|FAILED|Error' "$log" >&2
    die "the build of preset $preset failed; the whole log is $log"
  fi
}
