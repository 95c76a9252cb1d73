# A container that owns a slice of a card, on a real low-level runtime: what it sees, what it may take, what it leaves.

load lib/common
load lib/rootfs
load lib/bundle
load lib/node
load lib/direct

@test "nvidia-smi shows the slice, not the card" {
  slice_bundle one 3000 nvidia-smi

  try hami run --bundle "$T/one" one

  assert_status 0
  assert_in "0MiB / 3000MiB" "$out"
  assert_equal 1 "$(grep -c 'MiB / ' <<<"$out")"
  assert_equal "" "$err"
}

@test "an allocation inside the limit succeeds, one beyond it is out of memory" {
  slice_bundle one 3000 cudacli alloc 2048 2048 512

  try hami run --bundle "$T/one" one

  assert_status 0
  assert_equal "2048 MiB: CUDA_SUCCESS
2048 MiB: CUDA_ERROR_OUT_OF_MEMORY
512 MiB: CUDA_SUCCESS" "$(driver_answers)"
}

@test "small allocations fill the slice to its end and not beyond" {
  local sizes
  mapfile -t sizes < <(yes 2 | head -n 200)
  slice_bundle one 300 cudacli alloc "${sizes[@]}"

  try hami run --bundle "$T/one" one

  # Two mebibytes are what the driver takes from the card at a time; what it needs for itself may count.
  local got
  got=$(driver_answers | grep -c CUDA_SUCCESS)
  [ "$got" -le 150 ] && [ "$got" -ge 100 ] || explain "got $got times 2 MiB of 300"
  assert_equal CUDA_ERROR_OUT_OF_MEMORY "$(driver_answers | tail -1 | cut -d' ' -f3)"
}

@test "a process that is started later by exec is held to the same limit" {
  slice_bundle one 3000 sleep 100000
  start_container one

  try hami exec one cudacli alloc 2048 2048

  assert_in "2048 MiB: CUDA_SUCCESS" "$out"
  assert_in "2048 MiB: CUDA_ERROR_OUT_OF_MEMORY" "$out"
  try hami exec one nvidia-smi
  assert_in "MiB / 3000MiB" "$out"
}

@test "two processes of one container share its limit" {
  slice_bundle one 3000 cudacli --hold 100000 alloc 2048
  start_container one
  wait_for 10 grep -q CUDA_SUCCESS "$T/one/output"

  try hami exec one cudacli alloc 1024 512

  assert_in "1024 MiB: CUDA_ERROR_OUT_OF_MEMORY" "$out"
  assert_in "512 MiB: CUDA_SUCCESS" "$out"
}

@test "the environment of a process cannot raise the limit" {
  slice_bundle one 3000 env CUDA_DEVICE_MEMORY_LIMIT=20g CUDA_DEVICE_MEMORY_LIMIT_0=20g LD_PRELOAD= \
    CUDA_DISABLE_CONTROL=true cudacli alloc 4096

  try hami run --bundle "$T/one" one

  assert_in "4096 MiB: CUDA_ERROR_OUT_OF_MEMORY" "$out"
}

@test "only the nodes of the granted card and of the driver are there" {
  slice_bundle one 3000 sh -c 'ls /dev | grep nvidia'

  try hami run --bundle "$T/one" one

  assert_equal 1 "$(grep -c '^nvidia[0-9]' <<<"$out")"
  assert_in nvidiactl "$out"
  assert_in nvidia-uvm "$out"
}

@test "the granted card opens, the neighbour's is refused by the kernel" {
  slice_bundle one 3000 sleep 100000
  edit_bundle "$T/one" '.process.capabilities[] += ["CAP_MKNOD"]'
  start_container one
  local granted neighbour
  granted=$(hami exec one sh -c 'ls /dev | grep "^nvidia[0-9]"')
  neighbour=$((1 - ${granted#nvidia}))

  # Nobody serves these numbers here, so an open that the cgroup allows ends in ENXIO.
  try hami exec one sh -c "cat /dev/$granted"
  assert_in "No such device or address" "$err"

  hami exec one mknod /dev/neighbour c $(device_numbers "$NODE/driver/dev/nvidia$neighbour")
  try hami exec one sh -c 'cat /dev/neighbour'
  assert_in "Operation not permitted" "$err"
}

@test "nothing of the host's bookkeeping can be seen or changed" {
  slice_bundle one 3000 sleep 100000
  edit_bundle "$T/one" '.process.capabilities[] += ["CAP_DAC_OVERRIDE"]'
  start_container one

  try hami exec one ls /usr/local/vgpu
  assert_equal "board
cards
libvgpu.so
slice
usage" "$out"

  local path
  for path in /usr/local/vgpu/slice /usr/local/vgpu/libvgpu.so /usr/local/vgpu/cards/0/x /etc/ld.so.preload; do
    try hami exec one sh -c "echo x >>$path"
    assert_in "Read-only file system" "$err"
  done

  try hami exec one cat /proc/self/mounts
  assert_not_in plan.json "$out"
  assert_not_in " /run/hami" "$out"
  try hami exec one env
  assert_not_in HAMI_CONFIG_FILE "$out"
}

@test "lines of the image's own ld.so.preload stay, before ours" {
  slice_bundle one 3000 cat /etc/ld.so.preload
  echo /usr/local/lib/own.so >"$T/one/rootfs/etc/ld.so.preload"

  try hami run --bundle "$T/one" one

  assert_equal "/usr/local/lib/own.so
/usr/local/vgpu/libvgpu.so" "$(sed '/^$/d' <<<"$out")"
  assert_equal /usr/local/lib/own.so "$(cat "$T/one/rootfs/etc/ld.so.preload")"
}

@test "a read-only root file system" {
  slice_bundle one 3000 nvidia-smi
  edit_bundle "$T/one" '.root.readonly = true'

  try hami run --bundle "$T/one" one

  assert_status 0
  assert_in "MiB / 3000MiB" "$out"
}

@test "programs of an unprivileged user are held too" {
  slice_bundle one 3000 cudacli alloc 2048 2048
  edit_bundle "$T/one" '.process.user = {uid: 1000, gid: 1000} | .process.noNewPrivileges = true |
    .process.capabilities = {bounding: [], effective: [], permitted: []}'

  try hami run --bundle "$T/one" one

  assert_equal "2048 MiB: CUDA_SUCCESS
2048 MiB: CUDA_ERROR_OUT_OF_MEMORY" "$(driver_answers)"
}

@test "delete gives the slice back" {
  slice_bundle one 3000 sleep 100000
  start_container one
  assert_leases 1

  try hami delete --force one

  assert_status 0
  assert_nothing_left
}

@test "a container that ends by itself in run gives the slice back" {
  slice_bundle one 3000 sh -c 'exit 7'

  try hami run --bundle "$T/one" one

  assert_status 7
  assert_nothing_left
}

@test "a second container that the node can no longer serve is refused in one line, and served after delete" {
  local all=$((CARD_MIB - 1000))
  make_bundle "$T/one" "$F/rootfs" sleep 100000
  annotate "$T/one" nvidia.com/gpu=2 nvidia.com/gpumem="$all"
  start_container one
  slice_bundle two 3000 nvidia-smi
  cp "$T/two/config.json" "$T/config.before"

  try hami --log "$T/log" --log-format json run --bundle "$T/two" two

  assert_status 1
  assert_one_line "$err"
  assert_in 3000 "$err"
  assert_equal "$err" "$(jq -r .msg "$T/log")"
  assert_same_file "$T/config.before" "$T/two/config.json"
  assert_leases 1
  assert_equal one "$(low_level list -q)"

  end_container one
  try hami run --bundle "$T/two" two
  assert_in "MiB / 3000MiB" "$out"
  assert_nothing_left
}

@test "the same id again while the first container lives is refused by the low-level runtime and costs the first nothing" {
  slice_bundle one 3000 sleep 100000
  start_container one
  slice_bundle two 1000 nvidia-smi

  try hami create --bundle "$T/two" one

  assert_status 1
  assert_leases 1
  try hami exec one nvidia-smi
  assert_in "MiB / 3000MiB" "$out"
}

@test "an edited bundle that comes back is not edited twice" {
  slice_bundle one 3000 nvidia-smi
  hami run --bundle "$T/one" one >/dev/null
  cp "$T/one/config.json" "$T/config.first"

  try hami run --bundle "$T/one" one

  assert_status 0
  assert_in "MiB / 3000MiB" "$out"
  jq -S 'del(.annotations)' "$T/config.first" >"$T/first"
  jq -S 'del(.annotations)' "$T/one/config.json" >"$T/second"
  assert_same_file "$T/first" "$T/second"
  assert_nothing_left
}

@test "unknown members, their order and large numbers survive the edit" {
  slice_bundle one 3000 true
  edit_bundle "$T/one" '{zFirst: {b: 1, a: [null]}} + . + {linuxFuture: "x"} | .linux.resources.memory.limit = 0'
  sed -i 's/"limit": 0/"limit": 9223372036854771712/' "$T/one/config.json"

  try hami run --bundle "$T/one" one

  assert_status 0
  assert_equal zFirst "$(jq -r 'keys_unsorted[0]' "$T/one/config.json")"
  assert_equal '{"b":1,"a":[null]}' "$(jq -c .zFirst "$T/one/config.json")"
  assert_equal '"x"' "$(jq -c .linuxFuture "$T/one/config.json")"
  grep -q '9223372036854771712' "$T/one/config.json" || explain "the memory limit changed"
}

@test "config.json keeps mode and owner" {
  slice_bundle one 3000 true
  chown 0:12 "$T/one/config.json"
  chmod 640 "$T/one/config.json"

  try hami run --bundle "$T/one" one

  assert_status 0
  assert_equal "640 0:12" "$(stat -c '%a %u:%g' "$T/one/config.json")"
}

@test "two containers on one card have their own limits and both get their memory" {
  slice_bundle one 3000 cudacli --hold 100000 alloc 2900
  slice_bundle two 2000 cudacli alloc 1500 1000
  start_container one
  wait_for 10 grep -q CUDA_SUCCESS "$T/one/output"

  try hami run --bundle "$T/two" two

  assert_in "1500 MiB: CUDA_SUCCESS" "$out"
  assert_in "1000 MiB: CUDA_ERROR_OUT_OF_MEMORY" "$out"
}

@test "a container that asks for nothing gets nothing" {
  make_bundle "$T/one" "$F/rootfs" sh -c 'ls /dev /usr/local /etc'

  try hami run --bundle "$T/one" one

  assert_status 0
  assert_not_in nvidia "$out"
  assert_not_in vgpu "$out"
  assert_not_in ld.so.preload "$out"
}

# recipes_opened NAME: the files of recipes that a run of the bundle opens.
recipes_opened() {
  strace -f -e trace=open,openat,openat2 -o "$T/trace" "$HAMI" --root "$T/root" run --bundle "$T/$1" "$1" >/dev/null
  grep -o '"[^"]*\.yaml"' "$T/trace" | sort -u | wc -l
}

@test "recipes are read as YAML only when one of them changed" {
  need strace
  slice_bundle one 3000 true
  sleep 3 # what is younger may change again within the clock's tick, and is not kept
  hami run --bundle "$T/one" one
  assert_equal 0 "$(recipes_opened one)"
  touch "$NODE"/recipes/nvidia.yaml
  assert_equal "$(find "$NODE/recipes" -name '*.yaml' | wc -l)" "$(recipes_opened one)"
}
