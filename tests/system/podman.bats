# Podman: through the runtime, and through its precreate hook with the plain low-level runtime. Both give the same
# container. And by its own support of CDI, which gives whole cards.

load lib/common
load lib/rootfs
load lib/bundle
load lib/node
load lib/podman
load lib/installed

setup_file() {
  make_node
  make_glibc_rootfs "$F/rootfs" "$CUDACLI"
  install_product
  use_installed_config "log = \"$F/log\""
  start_podman
  import_podman_image "$F/rootfs" hami-test:1
  import_podman_image "$F/rootfs" hami-env:1 'ENV LD_PRELOAD=/tmp/evil.so'
}

teardown_file() { remove_podman_cgroups; }

setup() {
  fresh_test_dir
  STATE=/run/hami
  start_podman
}

teardown() { remove_podman_containers; }

by_runtime() { podman_run --runtime hami -- "$@"; }
by_hook() { podman_run --hooks-dir "$HOOKS" -- "$@"; }

HOOKS=/usr/share/hami/hooks.d

no_lease() { [ -z "$(leases)" ]; }

SLICE=(--annotation nvidia.com/gpu=1 --annotation nvidia.com/gpumem=3000)

@test "podman run --runtime gives the slice, holds it, and gives it back" {
  try by_runtime --rm "${SLICE[@]}" hami-test:1 sh -c 'nvidia-smi; cudacli alloc 2048 2048'
  assert_status 0
  assert_in "0MiB / 3000MiB" "$out"
  assert_in "2048 MiB: CUDA_ERROR_OUT_OF_MEMORY" "$out"
  assert_equal "" "$err"
  wait_for 10 no_lease
}

@test "podman run --hooks-dir gives the slice, holds it, and gives it back" {
  try by_hook --rm "${SLICE[@]}" hami-test:1 sh -c 'nvidia-smi; cudacli alloc 2048 2048'
  assert_status 0
  assert_in "0MiB / 3000MiB" "$out"
  assert_in "2048 MiB: CUDA_ERROR_OUT_OF_MEMORY" "$out"
  assert_equal "" "$err"
  wait_for 10 no_lease
  assert_equal "" "$(ls "$STATE/containers")"
}

@test "both ways give the same container: variables, nodes, mounts, links, limits" {
  local look='env | sort | grep -v HOSTNAME; stat -c "%A %u %g %t %T %n" /dev/nvidia*; cut -d" " -f2,4 /proc/self/mounts | grep -v "/dev/shm\|^/ " | sort;
    find /usr /etc | sed "s/-[0-9a-f]\{16\}$/-ID/" | sort; cat /etc/ld.so.preload; nvidia-smi -L'
  try by_runtime --rm "${SLICE[@]}" hami-test:1 sh -c "$look"
  assert_status 0
  local expected=$out
  try by_hook --rm "${SLICE[@]}" hami-test:1 sh -c "$look"
  assert_status 0
  assert_in libvgpu.so "$out"
  assert_equal "$expected" "$out"
}

@test "the variable HAMI_RESOURCES asks for the same, both ways" {
  local way
  for way in by_runtime by_hook; do
    try "$way" --rm -e HAMI_RESOURCES=nvidia.com/gpu=1,nvidia.com/gpumem=3000 hami-test:1 nvidia-smi
    assert_status 0
    assert_in "0MiB / 3000MiB" "$out"
  done
}

@test "a container without a request is the plain one, both ways" {
  local look='env | sort | grep -v HOSTNAME; ls /dev; cut -d" " -f2-3 /proc/self/mounts | sort'
  try podman_run -- --rm hami-test:1 sh -c "$look"
  assert_status 0
  local expected=$out way
  for way in by_runtime by_hook; do
    try "$way" --rm hami-test:1 sh -c "$look"
    assert_status 0
    assert_equal "$expected" "$out"
  done
  assert_leases 0
}

@test "exit statuses are podman's own, both ways" {
  local way
  for way in by_runtime by_hook; do
    try "$way" --rm "${SLICE[@]}" hami-test:1 sh -c 'exit 42'
    assert_status 42
  done
}

# refused SAYS PODMAN_ARGUMENT...: podman shows our sentence with SAYS in it, and keeps nothing.
refused() {
  try by_runtime --rm "${@:2}" hami-test:1 echo started
  assert_status 126
  assert_equal "" "$out"
  assert_in "hami-runtime: " "$err"
  assert_in "$1" "$err"
  assert_equal 1 "$(grep -c hami-runtime: <<<"$err")"
  assert_leases 0
}

@test "every refusal by the runtime is our sentence and leaves nothing" {
  refused 9000000 --annotation nvidia.com/gpu=1 --annotation nvidia.com/gpumem=9000000
  refused "asks for 3 nvidia devices" --annotation nvidia.com/gpu=3
  refused "'x'" -e HAMI_RESOURCES=nvidia.com/gpu=x
  refused GPU-nowhere -e NVIDIA_VISIBLE_DEVICES=GPU-nowhere
}

@test "a refusal by the hook stops the container, is in our log, and leaves nothing" {
  rm -f "$F/log"
  try by_hook --rm --annotation nvidia.com/gpu=1 --annotation nvidia.com/gpumem=9000000 hami-test:1 echo started

  [ "$status" != 0 ] || explain "the container started"
  assert_not_in started "$out"
  assert_in 9000000 "$(jq -r .msg "$F/log")"
  # crun shows the exit status of a hook and nothing else.
  [ "$HAMI_LOW_LEVEL" = crun ] || assert_in "hami-hook: start refused: " "$err"
  [ "$HAMI_LOW_LEVEL" = crun ] || assert_in 9000000 "$err"
  assert_leases 0
}

@test "stop gives the slice back, start and restart take one again, both ways" {
  local way options
  for way in by_runtime by_hook; do
    options=(--runtime hami)
    [ "$way" = by_runtime ] || options=(--hooks-dir "$HOOKS")
    "$way" -d --name one "${SLICE[@]}" hami-test:1 sleep 100000 >/dev/null
    assert_leases 1
    private_podman "${options[@]}" stop -t 0 one >/dev/null
    wait_for 10 no_lease
    private_podman "${options[@]}" start one >/dev/null
    assert_leases 1
    try private_podman "${options[@]}" exec one nvidia-smi
    assert_in "0MiB / 3000MiB" "$out"
    private_podman "${options[@]}" restart -t 0 one >/dev/null
    assert_leases 1
    private_podman "${options[@]}" rm -f -t 0 one >/dev/null
    wait_for 10 no_lease
  done
}

@test "a lease of the hook outlives podman, and a second container cannot take the memory" {
  by_hook -d --name one --annotation nvidia.com/gpu=2 --annotation nvidia.com/gpumem="$((CARD_MIB - 1000))" \
    hami-test:1 sleep 100000 >/dev/null
  assert_leases 1
  try by_hook --rm "${SLICE[@]}" hami-test:1 true
  [ "$status" != 0 ] || explain "the memory was given out twice"
  try "$HAMI_BUILD_DIR/bin/hamictl" release --stale
  assert_equal "no stale lease" "$out"
  private_podman rm -f -t 0 one >/dev/null
  wait_for 10 no_lease
}

@test "without cgroups the hook still knows the container" {
  [ "$HAMI_LOW_LEVEL" = crun ] || return 0 # runc has no such mode, and podman does not offer it
  try private_podman --runtime "$(command -v crun)" --hooks-dir "$HOOKS" run --network none --rm --cgroups=disabled "${SLICE[@]}" hami-test:1 nvidia-smi
  assert_status 0
  assert_in "0MiB / 3000MiB" "$out"
}

@test "the annotation that marks our work cannot be set by a user" {
  try by_hook --rm "${SLICE[@]}" --annotation hami.io/allocated=x hami-test:1 echo started
  [ "$status" != 0 ] || explain "the container started"
  assert_not_in started "$out"
}

@test "an image's LD_PRELOAD runs nothing on the host" {
  local way
  for way in by_runtime by_hook; do
    try "$way" --rm "${SLICE[@]}" hami-env:1 true
    assert_status 0
  done
}

# --- whole cards by the engine's own CDI

generate() { "$HAMI_BUILD_DIR/bin/hamictl" cdi generate "$@"; }

@test "podman --device gives a whole card under the plain runtime, by both of its names" {
  try generate --output /etc/cdi
  assert_status 0
  assert_in "/etc/cdi/hami-nvidia.json: 2 devices" "$out"
  assert_in "/etc/cdi/hami-any-gpu.json: 2 devices" "$out"
  local look='ls /dev/nvidia[0-9]; nvidia-smi -L | wc -l; nvidia-smi | grep -o "[0-9]*MiB / [0-9]*MiB"'
  local name
  for name in hami.io/gpu=1 nvidia.com/gpu=1; do
    try podman_run -- --rm --device "$name" hami-test:1 sh -c "$look"
    assert_status 0
    assert_equal "/dev/nvidia1
1
0MiB / ${CARD_MIB}MiB" "$out"
  done
  try podman_run -- --rm --device hami.io/gpu=all hami-test:1 sh -c 'nvidia-smi -L | wc -l'
  assert_equal 2 "$out"
}

@test "a card that podman's CDI gave is counted where the runtime is ours" {
  generate --output /etc/cdi >/dev/null
  try podman_run --runtime hami -- -d --device hami.io/gpu=0 hami-test:1 sleep 100000
  assert_status 0
  assert_leases 1
  try private_podman exec "$out" sh -c 'ls /dev/nvidia[0-9]; nvidia-smi -L | wc -l'
  assert_equal "/dev/nvidia0
1" "$out"
  try by_runtime --rm --annotation nvidia.com/gpu=2 --annotation nvidia.com/gpumem=1000 hami-test:1 true
  assert_status 126
  assert_in "held by one container alone" "$err"
  remove_podman_containers
  wait_for 10 no_lease
}

@test "the names of podman's CDI are no way around the ledger, and the annotations of Kubernetes give what is missing" {
  generate --output /etc/cdi >/dev/null
  refused "'hami.io/gpu=0' is a name for engines" --annotation hami.io/cdi-devices=hami.io/gpu=0
  try by_runtime --rm --annotation cdi.k8s.io/plugin_0=hami.io/gpu=1 hami-test:1 nvidia-smi -L
  assert_status 0
  assert_equal 1 "$(wc -l <<<"$out")"
}

@test "nodes with a group: podman reads the version without group ids, and is told what that leaves out" {
  chgrp 44 "$NODE/driver/dev/nvidia0" && chmod 0660 "$NODE/driver/dev/nvidia0"
  try generate --output /etc/cdi --spec-version 0.5.0
  chgrp 0 "$NODE/driver/dev/nvidia0" && chmod 0666 "$NODE/driver/dev/nvidia0"
  assert_status 0
  assert_in "need 44 from --group-add" "$out"
  try podman_run -- --rm --user 1000 --group-add 44 --device hami.io/gpu=0 hami-test:1 nvidia-smi -L
  assert_status 0
  assert_equal 1 "$(wc -l <<<"$out")"
}

@test "broken input stops the precreate hook with a reason, and is not given on" {
  local hook=(/usr/bin/hami-hook precreate)
  try_input '{"annotations": {"nvidia.com/gpu": "1"}' "${hook[@]}"
  assert_status 1
  assert_equal "" "$out"
  assert_one_line "$err"
  try_input '{"nothing": "asked"}' "${hook[@]}"
  assert_status 0
  assert_equal '{"nothing": "asked"}' "$out"
}
