# ctr run with hami-runtime as the runc shim's binary, on a real containerd.

load lib/common
load lib/rootfs
load lib/bundle
load lib/node
load lib/containerd

IMAGE=docker.io/library/hami-test:1

setup_file() {
  make_node
  make_glibc_rootfs "$F/rootfs" "$CUDACLI"
  use_config "$F/config.toml" "$F/state"
  start_containerd
  import_ctr_image "$F/rootfs" "$IMAGE"
}

setup() {
  fresh_test_dir
  STATE=$F/state
}

teardown() {
  local id
  for id in $(private_ctr task ls -q); do private_ctr task rm -f "$id" || true; done
  for id in $(private_ctr container ls -q); do private_ctr container rm "$id" || true; done
}

hami_ctr_run() { private_ctr run --runc-binary "$HAMI" "$@"; }

SLICE=(--annotation nvidia.com/gpu=1 --annotation nvidia.com/gpumem=3000)

no_lease() { [ -z "$(leases)" ]; }

@test "ctr run nvidia-smi shows the slice of the annotations" {
  try hami_ctr_run --rm "${SLICE[@]}" "$IMAGE" one nvidia-smi
  assert_status 0
  assert_in "0MiB / 3000MiB" "$out"
  wait_for 10 no_lease
}

@test "memory is held to the slice" {
  try hami_ctr_run --rm "${SLICE[@]}" "$IMAGE" one cudacli alloc 2048 2048
  assert_in "2048 MiB: CUDA_SUCCESS" "$out"
  assert_in "2048 MiB: CUDA_ERROR_OUT_OF_MEMORY" "$out"
}

@test "the variable HAMI_RESOURCES asks for the same" {
  try hami_ctr_run --rm --env HAMI_RESOURCES=nvidia.com/gpu=1,nvidia.com/gpumem=3000 "$IMAGE" one nvidia-smi
  assert_status 0
  assert_in "0MiB / 3000MiB" "$out"
}

@test "the program's exit status is ctr's" {
  try hami_ctr_run --rm "${SLICE[@]}" "$IMAGE" one sh -c 'exit 42'
  assert_status 42
}

# refused SAYS CTR_ARGUMENT...: ctr shows our sentence with SAYS in it, and keeps nothing.
refused() {
  try hami_ctr_run --rm "${@:2}" "$IMAGE" one echo started
  assert_status 1
  assert_equal "" "$out"
  assert_in "OCI runtime create failed: hami-runtime: " "$err"
  assert_in "$1" "$err"
  assert_equal 1 "$(grep -c hami-runtime: <<<"$err")"
  assert_not_in "unable to retrieve" "$err"
  assert_equal "" "$(private_ctr task ls -q)"
  assert_leases 0
}

@test "every refusal is our sentence and leaves no task, no lease" {
  refused nvidia.com/gpumem --annotation nvidia.com/gpu=1 --annotation nvidia.com/gpumem=-1
  refused 9000000 --annotation nvidia.com/gpu=1 --annotation nvidia.com/gpumem=9000000
  refused "asks for 3 nvidia devices" --annotation nvidia.com/gpu=3
  refused GPU-nowhere --env NVIDIA_VISIBLE_DEVICES=GPU-nowhere
  refused other.com/card=0 --annotation hami.io/cdi-devices=other.com/card=0
}

@test "exec, pause, resume, kill and delete of a task" {
  hami_ctr_run --detach "${SLICE[@]}" "$IMAGE" one sleep 100000
  try private_ctr task exec --exec-id e1 one nvidia-smi
  assert_in "0MiB / 3000MiB" "$out"
  private_ctr task pause one
  private_ctr task resume one
  try private_ctr task ps one
  assert_status 0
  private_ctr task kill --signal SIGKILL one
  wait_for 10 task_stopped one
  private_ctr task rm one
  wait_for 10 no_lease
}

task_stopped() { private_ctr task ls | grep -q "^$1 .*STOPPED"; }

@test "a shim killed with SIGKILL: the next container gets the memory" {
  hami_ctr_run --detach --annotation nvidia.com/gpu=2 --annotation nvidia.com/gpumem="$((CARD_MIB - 1000))" \
    "$IMAGE" one sleep 100000
  local pid
  pid=$(private_ctr task ls | awk '$1 == "one" { print $2 }')
  kill -KILL "$(awk '{ print $4 }' "/proc/$pid/stat")"
  wait_for 20 task_gone_or_stopped one
  private_ctr task rm -f one || true

  try hami_ctr_run --rm "${SLICE[@]}" "$IMAGE" two true
  assert_status 0
}

task_gone_or_stopped() { ! private_ctr task ls | grep -q "^$1 .*RUNNING"; }

@test "containerd restarted under a running container: the slice stays and is given back at the end" {
  hami_ctr_run --detach "${SLICE[@]}" "$IMAGE" one sleep 100000
  stop_containerd
  start_containerd
  assert_leases 1
  try private_ctr task exec --exec-id e1 one nvidia-smi
  assert_in "0MiB / 3000MiB" "$out"
  private_ctr task rm -f one
  wait_for 10 no_lease
}

@test "a container without a request runs and keeps its config.json" {
  try hami_ctr_run --rm "$IMAGE" one sh -c 'ls /usr/local /dev'
  assert_status 0
  assert_not_in vgpu "$out"
  assert_not_in nvidia "$out"
}
