# What hami-runtime refuses, and that a refusal leaves nothing behind.

load lib/common
load lib/rootfs
load lib/bundle
load lib/node
load lib/direct

setup_file() {
  make_node
  make_glibc_rootfs "$F/rootfs" "$CUDACLI"
  make_busybox_rootfs "$F/busybox"
}

teardown() {
  umount "$T/bundle" 2>/dev/null || true
  umount "$T/state" 2>/dev/null || true
}

request_bundle() { slice_bundle bundle 3000 true; }

# refuse_annotation KEY=VALUE TEXT...: with a request for one card and this annotation; each TEXT is in the message.
refuse_annotation() {
  make_bundle "$T/bundle" "$F/rootfs" true
  annotate "$T/bundle" nvidia.com/gpu=1 "$1"
  refuse "$T/bundle"
  local text
  for text in "${@:2}"; do assert_in "$text" "$err"; done
}

@test "hamictl pod: what it shows is what the runtime gives, and it refuses with the runtime's own words" {
  local hamictl=$HAMI_BUILD_DIR/bin/hamictl key=hami.io/vgpu-devices-allocated
  jq -n --arg key $key '{metadata: {annotations: {($key): "GPU-a,NVIDIA,3000,30:;,,0,0:;"}}}' >"$T/pod.json"
  [ "$("$hamictl" pod show --json - <"$T/pod.json" | jq .memory)" = 3145728000 ]
  [ "$("$hamictl" pod rewrite "$T/pod.json" | jq -r --arg key $key '.[$key]')" = "GPU-a,NVIDIA,3000,30:;;" ]

  make_bundle "$T/bundle" "$F/rootfs" true
  annotate "$T/bundle" io.kubernetes.cri.container-type=container nvidia.com/gpu=1 $key="GPU-a,NVIDIA,3x,30:"
  refuse "$T/bundle"
  local words="annotation '$key': group 0, record 0: bad memory '3x'"
  assert_in "$words" "$err"
  jq -n --arg key $key '{($key): "GPU-a,NVIDIA,3x,30:"}' >"$T/bad.json"
  try "$hamictl" pod show "$T/bad.json"
  [ "$status" -eq 65 ]
  assert_in "$words" "$err"
  try "$hamictl" pod
  [ "$status" -eq 65 ]
}

@test "config.json: truncated" {
  request_bundle
  edit_bundle "$T/bundle" '{annotations} + .'
  truncate -s 700 "$T/bundle/config.json"
  refuse "$T/bundle"
  assert_in config.json "$err"
}

@test "config.json: empty, missing or not JSON is the low-level runtime's to refuse, and leaves nothing" {
  local content
  for content in '' '{' 'nonsense' missing; do
    rm -rf "$T/bundle"
    request_bundle
    printf '%s' "$content" >"$T/bundle/config.json"
    [ "$content" != missing ] || rm "$T/bundle/config.json"
    try hami create --bundle "$T/bundle" refused
    assert_status 1
    assert_one_line "$err"
    assert_nothing_left
  done
}

@test "config.json: ten megabytes that never end" {
  request_bundle
  { printf '{"annotations": {"nvidia.com/gpu": "'; head -c 10000000 /dev/zero | tr '\0' 1; } >"$T/bundle/config.json"
  refuse "$T/bundle"
  [ "${#err}" -lt 1000 ] || explain "the message repeats the input"
}

@test "annotation: ten megabytes of digits are not repeated in the message" {
  request_bundle
  head -c 10000000 /dev/zero | tr '\0' 1 >"$T/long"
  edit_bundle "$T/bundle" --rawfile long "$T/long" '.annotations["nvidia.com/gpumem"] = $long'
  refuse "$T/bundle"
  [ "${#err}" -lt 1000 ] || explain "the message repeats the input"
}

@test "config.json: ten megabytes that are in order are served" {
  request_bundle
  head -c 10000000 /dev/zero | tr '\0' a >"$T/long"
  edit_bundle "$T/bundle" --rawfile long "$T/long" '.unknown = $long'
  try hami run --bundle "$T/bundle" served
  assert_status 0
  assert_nothing_left
}

@test "config.json: nested a thousand deep" {
  request_bundle
  local open close
  open=$(printf '[%.0s' {1..1000})
  close=$(printf ']%.0s' {1..1000})
  sed -i "1s/{/{\"deep\": $open$close,/" "$T/bundle/config.json"
  refuse "$T/bundle"
}

@test "config.json: members of the wrong type" {
  local change
  for change in '.annotations = []' '.annotations["nvidia.com/gpu"] = 1' '.process = "x"' '.process.env = "x"' \
    '.process.env = [1]' '.linux = []' '.linux.devices = {}' '.linux.resources = 3' '.linux.resources.devices = {}' \
    '.mounts = {}' '.mounts[0] = "x"' '.hooks = []' '.hooks.poststop = {}' '.root = "x"' '.root.path = 1' '. = [.]'; do
    rm -rf "$T/bundle"
    request_bundle
    edit_bundle "$T/bundle" ".process.env += [\"HAMI_RESOURCES=nvidia.com/gpu=1\"] | $change"
    echo "change: $change"
    refuse "$T/bundle"
  done
}

@test "config.json: a member given twice" {
  request_bundle
  sed -i '1s/{/{"annotations": {"nvidia.com\/gpu": "1"},/' "$T/bundle/config.json"
  refuse "$T/bundle"
  assert_in annotations "$err"
}

@test "config.json: no process" {
  request_bundle
  edit_bundle "$T/bundle" 'del(.process)'
  refuse "$T/bundle"
  assert_in process "$err"
}

@test "config.json: a FIFO, a symbolic link or writable by others is not edited" {
  request_bundle
  mv "$T/bundle/config.json" "$T/elsewhere.json"
  ln -s "$T/elsewhere.json" "$T/bundle/config.json"
  cp "$T/elsewhere.json" "$T/before"
  try hami create --bundle "$T/bundle" refused
  assert_status 1
  assert_same_file "$T/before" "$T/elsewhere.json"

  rm "$T/bundle/config.json"
  mkfifo "$T/bundle/config.json"
  try timeout 10 "$HAMI" --root "$T/root" create --bundle "$T/bundle" refused
  assert_status 1

  rm "$T/bundle/config.json"
  mv "$T/elsewhere.json" "$T/bundle/config.json"
  chmod 666 "$T/bundle/config.json"
  refuse "$T/bundle"
}

@test "annotation: amounts that are not plain numbers" {
  local value
  for value in -1 3e3 99999999999999999999 3000Mi 0x10 '' ' ' '1 ' +5 1.5 '1;2'; do
    rm -rf "$T/bundle"
    refuse_annotation "nvidia.com/gpumem=$value" nvidia.com/gpumem
  done
}

@test "annotation: counts and percentages out of range" {
  refuse_annotation nvidia.com/gpu=-1 nvidia.com/gpu
  rm -rf "$T/bundle"
  refuse_annotation nvidia.com/gpumem-percentage=101 nvidia.com/gpumem-percentage
}

@test "annotation: a newline in a value does not make a second line" {
  make_bundle "$T/bundle" "$F/rootfs" true
  edit_bundle "$T/bundle" '.annotations["nvidia.com/gpu"] = "1\nlevel=error \"x\""'
  refuse "$T/bundle"
}

@test "HAMI_RESOURCES: malformed" {
  local value
  for value in nvidia.com/gpu nvidia.com/gpu= =1 'nvidia.com/gpu=1,,' 'nvidia.com/gpu=1,nvidia.com/gpu=2' 'nvidia.com/gpu=1 x'; do
    rm -rf "$T/bundle"
    make_bundle "$T/bundle" "$F/rootfs" true
    edit_bundle "$T/bundle" --arg value "HAMI_RESOURCES=$value" '.process.env += [$value]'
    echo "value: $value"
    refuse "$T/bundle"
  done
}

@test "two sources that disagree are both named" {
  request_bundle
  edit_bundle "$T/bundle" '.process.env += ["HAMI_RESOURCES=nvidia.com/gpu=1,nvidia.com/gpumem=2000"]'
  refuse "$T/bundle"
  assert_in HAMI_RESOURCES "$err"
  assert_in annotation "$err"
}

@test "unknown device" {
  make_bundle "$T/bundle" "$F/rootfs" true
  edit_bundle "$T/bundle" '.process.env += ["NVIDIA_VISIBLE_DEVICES=GPU-00000000-dead-beef-0000-000000000000"]'
  refuse "$T/bundle"
  assert_in GPU-00000000-dead-beef-0000-000000000000 "$err"

  rm -rf "$T/bundle"
  make_bundle "$T/bundle" "$F/rootfs" true
  edit_bundle "$T/bundle" '.process.env += ["NVIDIA_VISIBLE_DEVICES=7"]'
  refuse "$T/bundle"
}

@test "unknown vendor resource" {
  make_bundle "$T/bundle" "$F/rootfs" true
  edit_bundle "$T/bundle" '.process.env += ["HAMI_RESOURCES=example.com/gpu=1"]'
  refuse "$T/bundle"
  assert_in example.com/gpu "$err"
}

@test "more than the node has: cards, memory, cores" {
  make_bundle "$T/bundle" "$F/rootfs" true
  annotate "$T/bundle" nvidia.com/gpu=3
  refuse "$T/bundle"
  assert_in 3 "$err"

  rm -rf "$T/bundle"
  refuse_annotation nvidia.com/gpumem=9000000 9000000
}

@test "a container without a C library cannot be held, and is told so" {
  make_bundle "$T/bundle" "$F/busybox" true
  annotate "$T/bundle" nvidia.com/gpu=1 nvidia.com/gpumem=3000
  refuse "$T/bundle"
  assert_in glibc "$err"
}

@test "libvgpu.so is missing" {
  request_bundle
  LIBVGPU=$T/nowhere/libvgpu.so use_config "$T/config.toml" "$T/state"
  refuse "$T/bundle"
  assert_in "$T/nowhere/libvgpu.so" "$err"
}

@test "the low-level runtime is missing" {
  request_bundle
  LOW_LEVEL_PATH=$T/nowhere/runc use_config "$T/config.toml" "$T/state"
  refuse "$T/bundle"
  assert_in "$T/nowhere/runc" "$err"
}

@test "the hook program is missing" {
  request_bundle
  sed -i "s|^hook = .*|hook = \"$T/nowhere/hook\"|" "$T/config.toml"
  refuse "$T/bundle"
  assert_in "$T/nowhere/hook" "$err"
}

@test "the bundle is read-only" {
  request_bundle
  mount --bind "$T/bundle" "$T/bundle"
  mount -o remount,bind,ro "$T/bundle"
  refuse "$T/bundle"
}

@test "no space for the edited config.json" {
  request_bundle
  mkdir "$T/small"
  mount -t tmpfs -o size=64k tmpfs "$T/small"
  cp "$T/bundle/config.json" "$T/small/"
  edit_bundle "$T/small" --arg rootfs "$T/bundle/rootfs" '.root.path = $rootfs'
  cat /dev/zero >"$T/small/filler" 2>/dev/null || true
  refuse "$T/small"
  umount "$T/small"
}

@test "no space for the lease and the usage page" {
  request_bundle
  mkdir "$T/state"
  mount -t tmpfs -o size=64k,mode=700 tmpfs "$T/state"
  refuse "$T/bundle"
}

@test "config.toml: a broken file is named with its line" {
  request_bundle
  printf '\n[broken\n' >>"$T/config.toml"
  refuse "$T/bundle"
  assert_in "$T/config.toml" "$err"
}

@test "config.toml: writable by others is refused" {
  request_bundle
  chmod 666 "$T/config.toml"
  refuse "$T/bundle"
  assert_in "$T/config.toml" "$err"
}

@test "what is refused by create is refused by run" {
  make_bundle "$T/bundle" "$F/rootfs" true
  annotate "$T/bundle" nvidia.com/gpu=1 nvidia.com/gpumem=-1
  cp "$T/bundle/config.json" "$T/config.before"
  try hami --log "$T/log" --log-format json run --bundle "$T/bundle" refused
  assert_refused "$T/bundle"
}

@test "without --log the reason is one line on stderr" {
  make_bundle "$T/bundle" "$F/rootfs" true
  annotate "$T/bundle" nvidia.com/gpu=1 nvidia.com/gpumem=-1
  try hami create --bundle "$T/bundle" refused
  assert_status 1
  assert_one_line "$err"
  assert_nothing_left
}

@test "a container that asks for nothing runs on a node whose driver is gone" {
  make_bundle "$T/bundle" "$F/rootfs" true
  sed -i "s|^driver = .*|driver = \"$T/nowhere\"|" "$T/config.toml"
  try hami run --bundle "$T/bundle" plain
  assert_status 0
}
