# dockerd with userns-remap: every container has a user namespace, and root inside is an ordinary user of the host.

load lib/common
load lib/rootfs
load lib/bundle
load lib/node
load lib/docker
load lib/installed

FIRST_ID=100000

# Copies where everybody may reach them: a checkout need not be in such a place, installed files are.
HOOK=$F/hami-hook
LIBVGPU=$F/libvgpu.so

setup_file() {
  make_node
  install -m 0755 "$HAMI_BUILD_DIR/bin/hami-hook" "$HOOK"
  install -m 0644 "$HAMI_BUILD_DIR/lib/libvgpu.so" "$LIBVGPU"
  make_glibc_rootfs "$F/rootfs" "$CUDACLI"
  chmod 755 "$HAMI_TEST_TMP" "$F"
  cover_directory /etc
  printf 'hamiremap:x:%s:%s::/:/bin/false\n' 12345 12345 >>/etc/passwd
  printf 'hamiremap:x:%s:\n' 12345 >>/etc/group
  echo "hamiremap:$FIRST_ID:65536" | tee -a /etc/subuid >>/etc/subgid
  cover_directory /dev
  cp -a "$NODE/driver/dev/"nvidia* /dev/
  use_config "$F/config.toml" "$F/state"
  start_docker ".runtimes.hami.path = \"$HAMI\" | .\"userns-remap\" = \"hamiremap\""
  # crun enters the bundle as the container's root before it starts a hook of the container. With a containerd of the
  # system that way is open; the directories of a containerd that dockerd starts itself are closed.
  chmod 711 "$F/docker/exec" "$F/docker/exec/containerd"
  import_image "$F/rootfs" hami-test:1
}

setup() {
  fresh_test_dir
  STATE=$F/state
}

teardown() {
  local ids
  ids=$(private_docker ps -aq)
  # shellcheck disable=SC2086
  [ -z "$ids" ] || private_docker rm -f $ids >/dev/null
}

no_lease() { [ -z "$(leases)" ]; }

@test "docker run under userns-remap: the slice is there, is held, and comes back" {
  try docker_run --runtime=hami --rm -e HAMI_RESOURCES=nvidia.com/gpu=1,nvidia.com/gpumem=3000 hami-test:1 \
    sh -c 'nvidia-smi; cudacli alloc 2048 2048; cat /proc/self/uid_map'

  assert_status 0
  assert_in "0MiB / 3000MiB" "$out"
  assert_in "2048 MiB: CUDA_SUCCESS" "$out"
  assert_in "2048 MiB: CUDA_ERROR_OUT_OF_MEMORY" "$out"
  assert_in "$FIRST_ID" "$out"
  wait_for 10 no_lease
}

@test "a refusal under userns-remap is our sentence" {
  try docker_run --runtime=hami --rm -e HAMI_RESOURCES=nvidia.com/gpu=1,nvidia.com/gpumem=9000000 hami-test:1 true

  assert_status 125
  assert_in "OCI runtime create failed: hami-runtime: " "$err"
}
