# checkpoint and restore by CRIU through the runtime: the words pass through, the slice is given back and taken again.

load lib/common
load lib/rootfs
load lib/bundle
load lib/node
load lib/direct

# A CRIU older than the kernel may not know it (Debian 12's on Linux 6.18), a low-level runtime may be built without it,
# and crun restores nothing on cgroup v1.
need_checkpoints() {
  [ -n "$(command -v criu)" ] || skip "this release has no criu"
  criu check >/dev/null 2>&1 || skip "criu and this kernel do not fit: $(criu check 2>&1 | head -n 1)"
  [ "$HAMI_LOW_LEVEL" = runc ] && return
  crun --version | grep -q CRIU || skip "this crun is built without CRIU"
  ldconfig -p | grep -q libcriu || skip "crun's library of CRIU is not installed"
  low_level_restores || skip "crun alone cannot restore a container on this machine"
}

COUNT='i=0; while :; do i=$((i + 1)); echo $i >/tmp/count; sleep 0.1; done'

low_level_restores() {
  local images=$T/alone-images
  mkdir "$images"
  make_bundle "$T/alone" "$F/rootfs" sh -c "$COUNT"
  detached low_level run --detach --bundle "$T/alone" alone
  detached low_level checkpoint --image-path "$images" --work-path "$images" alone &&
    detached low_level restore --detach --image-path "$images" --work-path "$images" --bundle "$T/alone" alone &&
    detached low_level exec alone cat /tmp/count
  local status=$?
  detached low_level delete --force alone
  return "$status"
}

# Its streams must be devices: a file of the host is no part of the container.
detached() { "$@" </dev/null >/dev/null 2>&1; }

count_of() { hami exec "$1" cat /tmp/count; }
counts_on() { [ "$(count_of "$1")" -gt "$2" ]; }

# through_checkpoint NAME: stopped by a checkpoint and restored, it goes on where it was.
through_checkpoint() {
  local before images=$T/images
  mkdir "$images"
  detached hami run --detach --bundle "$T/$1" "$1"
  wait_for 10 counts_on "$1" 2
  before=$(count_of "$1")
  hami checkpoint --image-path "$images" --work-path "$images" "$1" >"$T/checkpoint" 2>&1 ||
    explain "checkpoint: $(cat "$T/checkpoint"; grep Error "$images/dump.log")"
  assert_equal "" "$(hami list --quiet)"
  between
  try_restore "$1"
  assert_status 0
  wait_for 10 counts_on "$1" "$((before + 1))"
}

# try_restore NAME: what it printed is in $out. The restored process keeps no file of the test open.
try_restore() {
  local images=$T/images
  try hami --log "$T/restore.log" restore --detach --image-path "$images" --work-path "$images" --bundle "$T/$1" "$1"
}

@test "a container without a request goes through a checkpoint" {
  need_checkpoints
  make_bundle "$T/plain" "$F/rootfs" sh -c "$COUNT"
  between() { :; }
  through_checkpoint plain
  hami delete --force plain
}

@test "a slice is given back with a checkpoint, and taken again with the restore" {
  need_checkpoints
  slice_bundle one 3000 sh -c "$COUNT"
  between() { assert_leases 0; }
  through_checkpoint one
  assert_leases 1
  try hami exec one nvidia-smi
  assert_in "0MiB / 3000MiB" "$out"
  try hami exec one cudacli alloc 2048 2048
  assert_in "2048 MiB: CUDA_ERROR_OUT_OF_MEMORY" "$out"
  end_container one
  assert_nothing_left
}

@test "a restore for which the node has no room is refused, and the images stay for another try" {
  need_checkpoints
  slice_bundle one 3000 sh -c "$COUNT"
  between() {
    make_bundle "$T/all" "$F/rootfs" sleep 100000
    annotate "$T/all" nvidia.com/gpu=2
    start_container all
    try_restore one
    assert_status 1
    assert_in "hami-runtime: restore 'one': " "$err"
    assert_leases 1
    end_container all
  }
  through_checkpoint one
  end_container one
  assert_nothing_left
}
