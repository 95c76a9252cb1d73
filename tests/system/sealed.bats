# A slice that is sealed from inside: whoever a program of the container runs as and whatever its environment is, the
# limits hold, and root without CAP_SYS_ADMIN can neither write, move, cover nor remove what holds them.

load lib/common
load lib/rootfs
load lib/bundle
load lib/node
load lib/direct

# expect_held COMMAND...: the command in the container "one" is the client, and gets its slice and no more.
expect_held() {
  try hami exec one "$@"
  assert_in "2048 MiB: CUDA_SUCCESS" "$out"
  assert_in "1024 MiB: CUDA_ERROR_OUT_OF_MEMORY" "$out"
}

# A container whose root has what engines give to roots, and no more.
start_one() {
  slice_bundle one 3000 sleep 100000
  edit_bundle "$T/one" '.process.capabilities[] += ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_MKNOD",
    "CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP", "CAP_SYS_CHROOT", "CAP_NET_RAW", "CAP_AUDIT_WRITE", "CAP_SETFCAP"]
    | .process.noNewPrivileges = false'
  start_container one
}

@test "a cleaned environment, another user, a login, a session of its own" {
  start_one

  expect_held cudacli alloc 2048 1024
  expect_held env -i /usr/local/bin/cudacli alloc 2048 1024
  expect_held env -i LD_PRELOAD=/nothing CUDA_DEVICE_MEMORY_LIMIT=20g /usr/local/bin/cudacli alloc 2048 1024
  expect_held su -s /bin/sh nobody -c '/usr/local/bin/cudacli alloc 2048 1024'
  expect_held setsid sh -c 'env -i /usr/local/bin/cudacli alloc 2048 1024 | cat'
  expect_held sh -c 'cd / && exec -a -other /usr/local/bin/cudacli alloc 2048 1024'
}

@test "a child that outlives its parent" {
  start_one

  hami exec one sh -c '(env -i /usr/local/bin/cudacli alloc 2048 1024 >/output 2>&1 &)'

  wait_for 10 grep -q CUDA_ERROR_OUT_OF_MEMORY "$T/one/rootfs/output"
  assert_in "2048 MiB: CUDA_SUCCESS" "$(cat "$T/one/rootfs/output")"
}

@test "what holds the limits cannot be written, removed, moved, covered or unmounted" {
  start_one
  local path

  for path in /etc/ld.so.preload /usr/local/vgpu/slice /usr/local/vgpu/libvgpu.so; do
    try hami exec one sh -c "echo >$path"
    assert_in "Read-only file system" "$err"
    try hami exec one rm -f "$path"
    [ "$status" -ne 0 ]
    try hami exec one mv "$path" /elsewhere
    [ "$status" -ne 0 ]
    try hami exec one sh -c "echo >/new; mv /new $path"
    [ "$status" -ne 0 ]
    try hami exec one umount "$path"
    assert_in "Operation not permitted" "$err"
    try hami exec one mount -o bind /dev/null "$path"
    [ "$status" -ne 0 ]
    try hami exec one mount -o remount,rw "$path"
    [ "$status" -ne 0 ]
  done
  try hami exec one rm -f /usr/local/vgpu/usage
  [ "$status" -ne 0 ]
  try hami exec one rm -rf /usr/local/vgpu
  [ "$status" -ne 0 ]

  expect_held cudacli alloc 2048 1024
}

@test "a container in the container that gets the same mounts" {
  slice_bundle one 3000 sleep 100000
  edit_bundle "$T/one" '.process.capabilities[] += ["CAP_SYS_ADMIN", "CAP_SYS_CHROOT"]'
  start_container one

  expect_held unshare -m sh -c '
    mkdir -p /inner && mount -o rbind / /inner && exec chroot /inner env -i /usr/local/bin/cudacli alloc 2048 1024'
}
