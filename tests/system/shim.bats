# runtime_type "io.containerd.hami.v2" on a real containerd, with the product installed where its package puts it.

load lib/common
load lib/rootfs
load lib/bundle
load lib/node
load lib/containerd
load lib/installed

IMAGE=docker.io/library/hami-test:1
LAUNCHER=/usr/bin/containerd-shim-hami-v2

setup_file() {
  need_built bin/containerd-shim-hami-v2 bin/hamictl
  make_node
  make_glibc_rootfs "$F/rootfs" "$CUDACLI"
  install_product
  use_installed_config
  start_containerd
  import_ctr_image "$F/rootfs" "$IMAGE"
}

setup() {
  fresh_test_dir
  STATE=/run/hami
}

teardown() {
  local id
  for id in $(private_ctr task ls -q); do private_ctr task rm -f "$id" || true; done
  for id in $(private_ctr container ls -q); do private_ctr container rm "$id" || true; done
}

shim_run() { private_ctr run --runtime io.containerd.hami.v2 "$@"; }

SLICE=(--annotation nvidia.com/gpu=1 --annotation nvidia.com/gpumem=3000)

no_lease() { [ -z "$(leases)" ]; }
task_stopped() { private_ctr task ls | grep -q "^$1 .*STOPPED"; }
task_gone_or_stopped() { ! private_ctr task ls | grep -q "^$1 .*RUNNING"; }

@test "ctr run --runtime io.containerd.hami.v2 gives the slice of the annotations" {
  try shim_run --rm "${SLICE[@]}" "$IMAGE" one nvidia-smi
  assert_status 0
  assert_in "0MiB / 3000MiB" "$out"
  assert_equal "" "$err"
  wait_for 10 no_lease
}

@test "memory is held to the slice" {
  try shim_run --rm "${SLICE[@]}" "$IMAGE" one cudacli alloc 2048 2048
  assert_in "2048 MiB: CUDA_SUCCESS" "$out"
  assert_in "2048 MiB: CUDA_ERROR_OUT_OF_MEMORY" "$out"
}

@test "a container without a request runs, and its exit status is ctr's" {
  try shim_run --rm "$IMAGE" one sh -c 'ls /dev /usr/local; exit 42'
  assert_status 42
  assert_not_in vgpu "$out"
  assert_not_in nvidia "$out"
}

@test "a refusal is our sentence and leaves no task, no lease" {
  try shim_run --rm --annotation nvidia.com/gpu=1 --annotation nvidia.com/gpumem=-1 "$IMAGE" one true
  assert_status 1
  assert_in "OCI runtime create failed: hami-runtime: " "$err"
  assert_in nvidia.com/gpumem "$err"
  assert_equal "" "$(private_ctr task ls -q)"
  assert_leases 0
}

@test "exec, pause, resume, ps, kill and delete of a task" {
  shim_run --detach "${SLICE[@]}" "$IMAGE" one sleep 100000
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

# containerd 1.7 has none for a task outside its own cgroup layout, with any shim.
@test "metrics are those of the stock shim" {
  shim_run --detach "${SLICE[@]}" "$IMAGE" ours sleep 100000
  private_ctr run --detach "$IMAGE" stock sleep 100000
  try private_ctr task metrics stock
  local expected=$status
  try private_ctr task metrics ours
  assert_status "$expected"
}

@test "containerd restarted under a running container: the slice stays and is given back at the end" {
  shim_run --detach "${SLICE[@]}" "$IMAGE" one sleep 100000
  stop_containerd
  start_containerd
  assert_leases 1
  try private_ctr task exec --exec-id e1 one nvidia-smi
  assert_in "0MiB / 3000MiB" "$out"
  private_ctr task rm -f one
  wait_for 10 no_lease
}

@test "a shim killed with SIGKILL: containerd cleans up through the launcher and the slice comes back" {
  shim_run --detach "${SLICE[@]}" "$IMAGE" one sleep 100000
  assert_leases 1
  local pid
  pid=$(private_ctr task ls | awk '$1 == "one" { print $2 }')
  kill -KILL "$(awk '{ print $4 }' "/proc/$pid/stat")"
  wait_for 20 task_gone_or_stopped one
  wait_for 20 no_lease
}

@test "the running shim is the stock one, and the processes it starts are ours" {
  shim_run --detach "$IMAGE" one sleep 100000
  local pid shim
  pid=$(private_ctr task ls | awk '$1 == "one" { print $2 }')
  shim=$(awk '{ print $4 }' "/proc/$pid/stat")

  assert_equal "$(readlink -f "$(command -v containerd-shim-runc-v2)")" "$(readlink "/proc/$shim/exe")"
  assert_in "PATH=/usr/lib/hami/shim-path:" "$(tr '\0' '\n' <"/proc/$shim/environ")"
  assert_equal /usr/bin/hami-runtime "$(readlink -f /usr/lib/hami/shim-path/runc)"
}

@test "the launcher prints what the stock shim prints and nothing of its own" {
  try "$(command -v containerd-shim-runc-v2)" -v
  local expected=${out#*:} # the first line names the program by its path
  try "$LAUNCHER" -v
  assert_status 0
  assert_equal "$expected" "${out#*:}"
  assert_equal "" "$err"
}

@test "without a stock shim ctr shows which one is missing" {
  : >"$T/not-executable"
  mount --bind "$T/not-executable" "$(readlink -f "$(command -v containerd-shim-runc-v2)")"
  try shim_run --rm "$IMAGE" one true
  umount "$(readlink -f "$(command -v containerd-shim-runc-v2)")"

  assert_status 1
  assert_in "find containerd-shim-runc-v2" "$err"
  assert_in "install containerd" "$err"
}
