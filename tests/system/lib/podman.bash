# A podman of our own: private storage, no network, the low-level runtime under test. conmon starts the runtime without
# HAMI_CONFIG_FILE, so the product must be installed (lib/installed).

PODMAN=$F/podman

start_podman() {
  need podman conmon
  mkdir -p "$PODMAN"
  cat >"$PODMAN/containers.conf" <<TOML
[engine]
runtime = "plain"
runtime_supports_json = ["plain", "hami"]
[engine.runtimes]
plain = ["$(command -v "$HAMI_LOW_LEVEL")"]
hami = ["/usr/bin/hami-runtime"]
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
TOML
  export CONTAINERS_CONF=$PODMAN/containers.conf
  export PODMAN_IGNORE_CGROUPSV1_WARNING=1 # podman 5 says on every start that they will go
}

# Options of every podman command. The lock numbers are in a file of /dev/shm otherwise, which all podmans share.
private_podman() {
  podman --root "$PODMAN/root" --runroot "$PODMAN/run" --tmpdir "$PODMAN/tmp" --storage-driver vfs \
    --cgroup-manager cgroupfs --events-backend file "$@"
}

# podman_run [PODMAN_OPTION...] -- RUN_ARGUMENT...
podman_run() {
  local options=()
  while [ "$1" != -- ]; do
    options+=("$1")
    shift
  done
  private_podman "${options[@]}" run --network none --cgroup-parent "/$HAMI_TEST_NAME" "${@:2}"
}

# import_podman_image ROOTFS NAME [DOCKERFILE_INSTRUCTION...]
import_podman_image() {
  local rootfs=$1 name=$2 change options=()
  shift 2
  for change in "$@"; do options+=(--change "$change"); done
  tar -C "$rootfs" -c . | private_podman import --quiet "${options[@]}" - "$name" >/dev/null
}

remove_podman_containers() {
  private_podman rm --all --force --time 0 >/dev/null
}

# podman makes plain directories for controllers that are not mounted here, in a file system that all namespaces share.
remove_podman_cgroups() {
  local name
  for name in hugetlb net_cls net_prio perf_event; do
    [ ! -d "/sys/fs/cgroup/$name" ] || is_controller "$name" ||
      find "/sys/fs/cgroup/$name" -depth -type d -exec rmdir {} + 2>/dev/null || true
  done
}

is_controller() { awk -v path="/sys/fs/cgroup/$1" '$5 == path { found = 1 } END { exit !found }' /proc/self/mountinfo; }
