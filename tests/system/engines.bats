# The engines themselves work here: what fails in this file is the machine, not the product.

load lib/common
load lib/rootfs
load lib/bundle
load lib/containerd
load lib/docker

setup_file() {
  need runc crun
  make_glibc_rootfs "$F/rootfs" "$(command -v getconf)"
}

setup() { fresh_test_dir; }

@test "the low-level runtime runs a container on this machine" {
  make_bundle "$T/plain" "$F/rootfs" sh -c 'echo hello; exit 42'

  try "$HAMI_LOW_LEVEL" --root "$T/root" run --bundle "$T/plain" plain

  assert_status 42
  assert_equal hello "$out"
}

@test "a dynamically linked program runs in the glibc rootfs" {
  make_bundle "$T/plain" "$F/rootfs" getconf PAGESIZE

  try "$HAMI_LOW_LEVEL" --root "$T/root" run --bundle "$T/plain" plain

  assert_status 0
  assert_equal "$(getconf PAGESIZE)" "$out"
}

@test "dockerd runs a container on this machine" {
  start_docker ".runtimes.tested.path = \"$(command -v "$HAMI_LOW_LEVEL")\""
  import_image "$F/rootfs" hami-test:1

  try docker_run --runtime=tested --rm hami-test:1 sh -c 'echo hello; exit 42'

  assert_status 42
  assert_equal hello "$out"
}

@test "containerd runs a container on this machine" {
  start_containerd
  import_ctr_image "$F/rootfs" docker.io/library/hami-test:1

  try private_ctr run --rm --runc-binary "$(command -v "$HAMI_LOW_LEVEL")" docker.io/library/hami-test:1 one sh -c 'echo hello; exit 42'

  assert_status 42
  assert_equal hello "$out"
}
