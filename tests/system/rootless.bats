# Podman of an ordinary user: the node's ledger is root's, so a request is refused with the reason, and what asks for
# nothing runs. Whole cards are there by podman's own CDI.

load lib/common
load lib/rootfs
load lib/bundle
load lib/node
load lib/podman
load lib/installed

USER_ID=12345
FIRST_ID=200000

setup_file() {
  need newuidmap newgidmap
  make_node
  make_glibc_rootfs "$F/rootfs" "$CUDACLI"
  chmod 755 "$HAMI_TEST_TMP" "$F"
  install_product
  use_installed_config
  printf 'hamiuser:x:%s:%s::%s:/bin/sh\n' "$USER_ID" "$USER_ID" "$F/home" >>/etc/passwd
  printf 'hamiuser:x:%s:\n' "$USER_ID" >>/etc/group
  echo "hamiuser:$FIRST_ID:65536" | tee -a /etc/subuid >>/etc/subgid
  mkdir -p "$F/home" "$F/runtime"
  give_nodes
  "$HAMI_BUILD_DIR/bin/hamictl" cdi generate --output /etc/cdi >/dev/null
  rm -rf /run/hami
  start_podman
  chown -R "$USER_ID:$USER_ID" "$F/home" "$F/runtime" "$PODMAN"
  tar -C "$F/rootfs" --exclude=./dev -cf "$F/image.tar" .
  rootless_podman import --quiet "$F/image.tar" hami-test:1 >/dev/null
}

# In a user namespace the low-level runtime binds a device node from the host's /dev instead of making one. Podman keeps
# the mount namespace of its first start, and its locks in /dev/shm.
give_nodes() {
  mkdir -p "$F/shm" && mount --bind /dev/shm "$F/shm"
  cover_directory /dev
  mount --move "$F/shm" /dev/shm
  cp -a "$NODE/driver/dev/"nvidia* /dev/
}

setup() {
  fresh_test_dir
  STATE=/run/hami
  start_podman
}

# As the user logs in: nothing of root's environment but what finds the programs.
as_user() {
  setpriv --reuid "$USER_ID" --regid "$USER_ID" --clear-groups env -i HOME="$F/home" USER=hamiuser \
    XDG_RUNTIME_DIR="$F/runtime" PATH="$PATH" CONTAINERS_CONF="$CONTAINERS_CONF" "$@"
}

rootless_podman() {
  (cd "$F/home" && as_user podman --root "$PODMAN/root" --runroot "$PODMAN/run" --tmpdir "$PODMAN/tmp" --storage-driver vfs \
    --cgroup-manager cgroupfs --events-backend file "$@")
}

rootless_run() { rootless_podman "$1" "$2" run --rm --network none "${@:3}"; }

@test "a container of a user without a request runs, both ways" {
  try rootless_run --runtime hami hami-test:1 sh -c 'echo hello; exit 42'
  assert_status 42
  assert_equal hello "$out"
  try rootless_run --hooks-dir /usr/share/hami/hooks.d hami-test:1 sh -c 'echo hello; exit 42'
  assert_status 42
  assert_equal hello "$out"
}

@test "a request of a user is refused in one line that says why and what to do" {
  try rootless_run --runtime hami --annotation nvidia.com/gpu=1 --annotation nvidia.com/gpumem=3000 hami-test:1 echo started
  [ "$status" != 0 ] || explain "the container started"
  assert_not_in started "$out"
  assert_in "hami-runtime: " "$err"
  assert_in "run the engine as root" "$err"
  [ ! -e /run/hami ] || explain "the ledger's directory was made by a user"
}

@test "a request of a user through the hook does not start either" {
  try rootless_run --hooks-dir /usr/share/hami/hooks.d --annotation nvidia.com/gpu=1 --annotation nvidia.com/gpumem=3000 \
    hami-test:1 echo started
  [ "$status" != 0 ] || explain "the container started"
  assert_not_in started "$out"
  [ "$HAMI_LOW_LEVEL" = crun ] || assert_in "hami-hook: start refused: the node's ledger" "$err"
}

@test "whole cards are there for users by podman's CDI: node, libraries, links and loader cache" {
  try rootless_podman run --rm --network none --device hami.io/gpu=1 hami-test:1 sh -c \
    'ls /dev/nvidia[0-9]; readlink /usr/lib/x86_64-linux-gnu/libcuda.so.1; nvidia-smi -L | wc -l'
  assert_status 0
  assert_in /dev/nvidia1 "$out"
  assert_not_in /dev/nvidia0 "$out"
  assert_in libcuda.so. "$out"
  assert_equal 1 "$(tail -n 1 <<<"$out")"
}

@test "a user's containers beside root's: each engine's own, and root's slice stays root's" {
  slice_bundle root 3000 sleep 100000
  start_container root
  assert_leases 1
  try rootless_run --runtime hami hami-test:1 echo hello
  assert_equal hello "$out"
  try rootless_podman run --rm --network none --device hami.io/gpu=0 hami-test:1 nvidia-smi -L
  assert_status 0
  assert_leases 1
  try hami exec root nvidia-smi
  assert_in "MiB / 3000MiB" "$out"
  end_container root
  assert_leases 0
}
