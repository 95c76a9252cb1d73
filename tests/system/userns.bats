# Containers in a user namespace of their own, as under dockerd's userns-remap: root inside is an ordinary user outside.

load lib/common
load lib/rootfs
load lib/bundle
load lib/node
load lib/installed

FIRST_ID=100000 # of the host, what root inside is

# Copies where everybody may reach them: a checkout need not be in such a place, installed files are.
HOOK=$F/hami-hook
LIBVGPU=$F/libvgpu.so

setup_file() {
  make_node
  install -m 0755 "$HAMI_BUILD_DIR/bin/hami-hook" "$HOOK"
  install -m 0644 "$HAMI_BUILD_DIR/lib/libvgpu.so" "$LIBVGPU"
  make_glibc_rootfs "$F/rootfs" "$CUDACLI"
  chown -hR "$FIRST_ID:$FIRST_ID" "$F/rootfs"
  chmod 755 "$HAMI_TEST_TMP" "$F"
  # In a user namespace the low-level runtime binds a device node from the host's /dev instead of making one.
  cover_directory /dev
  cp -a "$NODE/driver/dev/"nvidia* /dev/
}

setup() {
  fresh_test_dir
  chmod 755 "$T"
  use_config "$T/config.toml" "$T/state"
}

teardown() {
  local id
  for id in $(low_level list -q 2>/dev/null); do low_level delete --force "$id" || true; done
}

# remapped_bundle NAME COMMAND...: a slice in a user namespace.
remapped_bundle() {
  slice_bundle "$1" 3000 "${@:2}"
  edit_bundle "$T/$1" --argjson first "$FIRST_ID" '
    .linux.namespaces += [{type: "user"}] |
    .linux.uidMappings = [{containerID: 0, hostID: $first, size: 65536}] | .linux.gidMappings = .linux.uidMappings |
    .mounts |= map(select(.type != "sysfs" and .type != "cgroup" and .type != "mqueue"))'
}

@test "a container in a user namespace gets its slice, and is held to it" {
  remapped_bundle one sh -c 'nvidia-smi; cudacli alloc 2048 2048; readlink /usr/lib/x86_64-linux-gnu/libcuda.so.1'

  try hami run --bundle "$T/one" one

  assert_status 0
  assert_in "0MiB / 3000MiB" "$out"
  assert_equal "2048 MiB: CUDA_SUCCESS
2048 MiB: CUDA_ERROR_OUT_OF_MEMORY" "$(driver_answers)"
  assert_nothing_left
}

@test "exec into it and delete of it work, and nothing is left" {
  remapped_bundle one sleep 100000
  start_container one

  try hami exec one nvidia-smi
  assert_in "MiB / 3000MiB" "$out"

  end_container one
  assert_nothing_left
}

@test "what lies on the host for it: its root may read, nobody may write, strangers see nothing" {
  remapped_bundle one sleep 100000
  start_container one
  local dir
  dir=$(echo "$STATE"/containers/*)

  assert_equal "750 0:$FIRST_ID" "$(stat -c '%a %u:%g' "$dir")"
  assert_equal "640 0:$FIRST_ID" "$(stat -c '%a %u:%g' "$dir/plan.json")"
  assert_equal "700 0:0" "$(stat -c '%a %u:%g' "$STATE/ledger")"
  try setpriv --reuid "$FIRST_ID" --regid "$FIRST_ID" --clear-groups sh -c "echo x >'$dir/plan.json'; mv '$dir/slice' '$dir/other'; : >'$dir/new'"
  assert_equal "750 0:$FIRST_ID" "$(stat -c '%a %u:%g' "$dir")"
  [ -e "$dir/slice" ] && [ ! -e "$dir/new" ]
  jq -e . "$dir/plan.json" >/dev/null
  try setpriv --reuid 12345 --regid 12345 --clear-groups ls "$dir"
  assert_not_in slice "$out"
  try setpriv --reuid 12345 --regid 12345 --clear-groups ls "$STATE/containers"
  assert_equal "" "$out"
  try setpriv --reuid 12345 --regid 12345 --clear-groups sh -c "echo 0 >'$dir/usage'"
  [ "$status" != 0 ] || explain "a stranger can write the usage page"
}

@test "a container without a user namespace keeps everything to root" {
  slice_bundle one 3000 sleep 100000
  start_container one

  assert_equal "700 0:0" "$(stat -c '%a %u:%g' "$STATE"/containers/*)"
  assert_equal "600 0:0" "$(stat -c '%a %u:%g' "$STATE"/containers/*/plan.json)"
  assert_equal "700 0:0" "$(stat -c '%a %u:%g' "$STATE")"
}

@test "a mapping without a root is refused with the reason" {
  slice_bundle one 3000 true
  edit_bundle "$T/one" '.linux.namespaces += [{type: "user"}] |
    .linux.uidMappings = [{containerID: 1000, hostID: 101000, size: 1}] | .linux.gidMappings = .linux.uidMappings'

  refuse "$T/one"

  assert_in "linux.gidMappings" "$err"
}
