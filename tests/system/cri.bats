# Pods through containerd's CRI plugin, with what HAMi's scheduler and its device plugin leave in them.

load lib/common
load lib/rootfs
load lib/bundle
load lib/node
load lib/containerd
load lib/cri

PAUSE=docker.io/library/hami-pause:1
PLAIN=docker.io/library/hami-plain:1
CUDA=docker.io/library/hami-cuda:1 # as images of CUDA are: they ask for every device

setup_file() {
  make_node
  make_glibc_rootfs "$F/rootfs" "$CUDACLI"
  use_config "$F/config.toml" "$F/state"
  start_cri "$PAUSE"
  IMAGE_COMMAND="sleep 100000" import_cri_image "$F/rootfs" "$PAUSE"
  import_cri_image "$F/rootfs" "$PLAIN"
  import_cri_image "$F/rootfs" "$CUDA" NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
}

setup() {
  CONTAINERD_NAMESPACE=k8s.io
  fresh_test_dir
  STATE=$F/state
}

teardown() {
  remove_pods
  wait_for 10 no_lease
}

no_lease() { [ -z "$(leases)" ]; }

# The simulated driver's own names.
CARDS=(GPU-5a4d0a8e-7c31-4f6b-9e1d-000000001000 GPU-5a4d0a8e-7c31-4f6b-9e1d-000000001001)

# record CARD MIB CORES: of an annotation.
record() { printf '%s,NVIDIA,%s,%s:' "${CARDS[$1]}" "$2" "$3"; }

# gpu_container POD NAME IMAGE CARD MIB CORES [VARIABLE=VALUE...]: created with what HAMi's device plugin answers for one
# card, and behind it what the Pod sets itself.
gpu_container() {
  create_container "$1" "$2" "$3" "NVIDIA_VISIBLE_DEVICES=${CARDS[$4]}" "CUDA_DEVICE_MEMORY_LIMIT_0=$5m" \
    "CUDA_DEVICE_SM_LIMIT=$6" CUDA_DEVICE_MEMORY_SHARED_CACHE=/usr/local/vgpu/0b9e4c2a.cache "${@:7}"
}

# assert_has_slice CARD MIB: the running $container has this card alone, of this size, and holds it in the ledger.
assert_has_slice() {
  try cri_exec "$container" nvidia-smi -L
  assert_status 0
  assert_equal 1 "$(grep -c GPU- <<<"$out")"
  assert_in "${CARDS[$1]}" "$out"
  try cri_exec "$container" nvidia-smi
  assert_in "0MiB / $2MiB" "$out"
  assert_equal "${CARDS[$1]} $2" "$(leases | xargs cat | jq -r --arg id "$container" \
    'select(.container == $id) | .holdings[] | "\(.device) \(.memory / 1048576)"')"
}

# assert_has_no_device: the running $container has neither node nor library, its first program is told of no device (what
# is executed in it later gets the engine's own list of variables), and there is no lease.
assert_has_no_device() {
  try cri_exec "$container" sh -c 'ls /dev /usr/local; cat /etc/ld.so.preload; tr "\0" "\n" </proc/1/environ'
  assert_not_in nvidia0 "$out"
  assert_not_in vgpu "$out"
  assert_in NVIDIA_VISIBLE_DEVICES=void "$out"
  assert_not_in NVIDIA_VISIBLE_DEVICES=all "$out"
  assert_equal "" "$(leases | xargs -r cat | jq -r --arg id "$container" 'select(.container == $id) | .container')"
}

# pod_of_three POD VALUE: first card, nothing, second card; the annotation has VALUE.
pod_of_three() {
  run_sandbox "$1" "hami.io/vgpu-node=here" "hami.io/vgpu-devices-allocated=$2" "hami.io/bind-phase=allocating"
  gpu_container "$1" train "$PLAIN" 0 3000 30
  start_cri_container "$container"
  assert_has_slice 0 3000
  create_container "$1" sidecar "$CUDA"
  start_cri_container "$container"
  assert_has_no_device
  gpu_container "$1" serve "$CUDA" 1 5000 0
  start_cri_container "$container"
  assert_has_slice 1 5000
  assert_leases 2
}

@test "annotations of HAMi 2.6: each container has its group, the sidecar between them nothing" {
  pod_of_three six "$(record 0 3000 30);;$(record 1 5000 0);"
}

@test "annotations of HAMi 2.10: the same Pod without the empty group" {
  pod_of_three ten "$(record 0 3000 30);$(record 1 5000 0);"
}

@test "two groups on one card are told apart by their amounts, in whatever order the containers come" {
  run_sandbox same "hami.io/vgpu-devices-allocated=$(record 0 1000 10);$(record 0 2000 20);"
  gpu_container same second "$PLAIN" 0 2000 20
  start_cri_container "$container"
  assert_has_slice 0 2000
  gpu_container same first "$PLAIN" 0 1000 10
  start_cri_container "$container"
  assert_has_slice 0 1000
}

@test "a limit that the Pod raises by its own variable is the scheduler's again" {
  run_sandbox greedy "hami.io/vgpu-devices-allocated=$(record 1 2000 0);"
  gpu_container greedy train "$CUDA" 1 2000 0 CUDA_DEVICE_MEMORY_LIMIT_0=8000m NVIDIA_VISIBLE_DEVICES=all
  start_cri_container "$container"
  assert_has_slice 1 2000
}

@test "a container that starts again in its Pod has the same group" {
  run_sandbox again "hami.io/vgpu-devices-allocated=$(record 0 1000 0);$(record 0 1000 0);"
  local round
  for round in 1 2 3; do
    gpu_container again train "$PLAIN" 0 1000 0
    start_cri_container "$container"
    assert_has_slice 0 1000
    assert_leases 1
    cri StopContainer "{\"container_id\": \"$container\"}"
    cri RemoveContainer "{\"container_id\": \"$container\"}"
  done
}

@test "a malformed annotation refuses the container with its key, place and text; the sandbox goes on" {
  run_sandbox bad "hami.io/vgpu-devices-allocated=$(record 0 1000 0);${CARDS[1]},NVIDIA,lots,0:;"
  gpu_container bad train "$PLAIN" 0 1000 0
  try start_cri_container "$container"
  assert_status 1
  assert_in "hami-runtime: " "$err"
  assert_in hami.io/vgpu-devices-allocated "$err"
  assert_in "group 1, record 0" "$err"
  assert_in lots "$err"
  assert_leases 0
}
