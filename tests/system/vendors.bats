# Other vendors' devices on a real low-level runtime, and a device of the user's own: what can be opened, and what not.

load lib/common
load lib/rootfs
load lib/bundle
load lib/node
load lib/direct

# Two cards and a control node of a vendor whose driver tells little. Their numbers are served by this kernel and are
# not among those that every container may use: fuse, loop-control and userio of the misc driver.
setup_file() {
  make_node
  make_glibc_rootfs "$F/rootfs" "$CUDACLI"
  mknod -m 0666 "$NODE/driver/dev/xpu0" c 10 229
  mknod -m 0666 "$NODE/driver/dev/xpu1" c 10 237
  mknod -m 0666 "$NODE/driver/dev/xpuctrl" c 1 3
  mknod -m 0666 "$NODE/driver/dev/kvm" c 10 232
  sed -i '/^Character devices:/a\ 10 xpu\n 10 misc\n  1 kunlun' "$NODE/driver/proc/devices"
}

xpu_bundle() {
  make_bundle "$T/$1" "$F/rootfs" sh -c "$2"
  mknod -m 0666 "$T/$1/rootfs/neighbour" c 10 229
}

@test "a card can be opened, its neighbour's node cannot, and nothing else of the vendor is there" {
  xpu_bundle one 'ls /dev | grep xpu; : </dev/xpu1 && echo opened; : </neighbour'
  edit_bundle "$T/one" '.process.env += ["CXPU_VISIBLE_DEVICES=1"]'

  try hami run --bundle "$T/one" one

  assert_in "xpu1
xpuctrl
opened" "$out"
  assert_not_in xpu0 "$out"
  assert_in "not permitted" "$err"
}

@test "a card that one container has is refused to another, and comes back with its end" {
  xpu_bundle one 'sleep 100000'
  annotate "$T/one" kunlunxin.com/xpu=2
  start_container one
  xpu_bundle two 'ls /dev/xpu0'
  annotate "$T/two" kunlunxin.com/xpu=1

  try hami run --bundle "$T/two" two
  assert_status 1
  assert_in "held by one container alone" "$err"

  end_container one
  try hami run --bundle "$T/two" two
  assert_status 0
}

@test "a slice of one vendor and a whole card of another in one container" {
  slice_bundle one 3000 sh -c 'ls /dev | grep -E "xpu|nvidia[0-9]"; nvidia-smi'
  annotate "$T/one" kunlunxin.com/xpu=1

  try hami run --bundle "$T/one" one

  assert_status 0
  assert_in xpu0 "$out"
  assert_in "MiB / 3000MiB" "$out"
}

@test "all is an error where there is none, and names what was looked for" {
  xpu_bundle one true
  edit_bundle "$T/one" '.process.env += ["ASCEND_VISIBLE_DEVICES=all"]'

  refuse "$T/one"

  assert_in "find ascend devices: this node has none" "$err"
}

@test "a device of the user's own is one file" {
  install -m 0644 "$HAMI_SOURCE_DIR/docs/examples/kvm.yaml" "$NODE/recipes/kvm.yaml"
  xpu_bundle one ': </dev/kvm && echo opened'
  annotate "$T/one" example.com/kvm=1

  try hami run --bundle "$T/one" one

  rm "$NODE/recipes/kvm.yaml"
  assert_status 0
  assert_equal opened "$out"
}

@test "a recipe that others than root can change stops every request, with its name" {
  install -m 0666 "$HAMI_SOURCE_DIR/docs/examples/kvm.yaml" "$NODE/recipes/kvm.yaml"
  xpu_bundle one true
  annotate "$T/one" kunlunxin.com/xpu=1

  try hami create --bundle "$T/one" one

  rm "$NODE/recipes/kvm.yaml"
  assert_status 1
  assert_one_line "$err"
  assert_in kvm.yaml "$err"
  assert_nothing_left
}

@test "a changed recipe counts for the next container, a kept copy does not outlive it" {
  xpu_bundle one 'ls /dev/xpu0'
  annotate "$T/one" kunlunxin.com/xpu=1
  sleep 3 # what changed a moment ago is not kept
  try hami run --bundle "$T/one" one
  assert_status 0
  [ -s "$STATE/recipes.cache" ] || explain "no copy is kept"

  sed -i 's/required: true, verify: {driver: \[xpu, kunlun\], kernelName: true}}$/required: true, verify: {driver: nothing}}/' \
    "$NODE/recipes/kunlunxin.yaml"
  xpu_bundle two true
  annotate "$T/two" kunlunxin.com/xpu=1
  try hami create --bundle "$T/two" two

  install -m 0644 "$HAMI_SOURCE_DIR/vendors/kunlunxin.yaml" "$NODE/recipes/"
  assert_status 1
  assert_in "which is not that of nothing" "$err"
}

# filtered_bundle NAME COMMAND: a card, and a filter of the container's own that lets everything through but four calls.
filtered_bundle() {
  xpu_bundle "$1" "$2"
  annotate "$T/$1" kunlunxin.com/xpu=1
  awk '/^#define __NR_/ { print substr($2, 6) }' /usr/include/*/asm/unistd_64.h /usr/include/asm-generic/unistd.h 2>/dev/null |
    grep -vE '^(mkdir|mkdirat|symlink|symlinkat)$' | sort -u | jq -Rn '[inputs]' >"$T/names"
  jq -e 'length > 100' "$T/names" >/dev/null || explain "the kernel's headers (linux-libc-dev) are not installed"
  edit_bundle "$T/$1" --slurpfile names "$T/names" '.linux.seccomp = {defaultAction: "SCMP_ACT_ERRNO",
    syscalls: [{names: $names[0], action: "SCMP_ACT_ALLOW"}]}'
}

@test "a system call that a recipe names works where policy allows it, and no other passes the container's filter" {
  install -m 0644 /dev/stdin "$NODE/recipes/xpu-calls.yaml" <<'YAML'
apiVersion: hami.io/recipe/v1
kind: Overlay
metadata: {name: xpu-calls}
extends: kunlunxin
inject:
  - id: calls
    syscalls: [mkdir, mkdirat, symlink, symlinkat]
YAML
  local look='mkdir /tmp/made && echo made; ln -s x /tmp/linked && echo linked; true'
  filtered_bundle none "$look"
  sed -i "/^\[runtime\]/a log = \"$T/own.log\"" "$T/config.toml"
  try hami run --bundle "$T/none" none
  assert_status 0
  assert_equal "" "$out"
  assert_equal "hami-runtime: container 'none': its recipes need mkdir, mkdirat, symlink, symlinkat, which its seccomp filter forbids and [policy] syscalls does not let through" \
    "$(jq -r 'select(.level == "warning") | .msg' "$T/own.log")"

  printf '[policy]\nsyscalls = ["mkdir", "mkdirat"]\n' >>"$T/config.toml"
  filtered_bundle some "$look"
  try hami run --bundle "$T/some" some
  rm "$NODE/recipes/xpu-calls.yaml"
  assert_status 0
  assert_equal made "$out"
  assert_in "'some': its recipes need symlink, symlinkat, which" "$(tail -n 1 "$T/own.log")"
}

# cdi_spec FILE EDITS: a specification of one card of another vendor.
cdi_spec() {
  mkdir -p "$T/cdi"
  printf '{"cdiVersion": "0.6.0", "kind": "other.com/card", "devices": [{"name": "0", "containerEdits": {%s}}]}\n' \
    "$2" >"$T/cdi/$1"
  use_config "$T/config.toml" "$T/state"
  sed -i "/^\[recipes\]/a cdi_dirs = [\"$T/cdi\"]" "$T/config.toml"
}

@test "a device that a CDI specification describes is given, its neighbour is not" {
  cdi_spec card.json '"deviceNodes": [{"path": "/dev/xpu1"}], "env": ["CARD=0"]'
  xpu_bundle one 'ls /dev | grep xpu; : </dev/xpu1 && echo opened; echo "$CARD"; : </neighbour'
  annotate "$T/one" hami.io/cdi-devices=other.com/card=0

  try hami run --bundle "$T/one" one

  assert_equal "xpu1
opened
0" "$out"
  assert_in "not permitted" "$err"
  assert_nothing_left
}

@test "what an engine has put in already is not given twice, whatever hooks it has" {
  cdi_spec card.json '"deviceNodes": [{"path": "/dev/xpu1"}],
    "hooks": [{"hookName": "createContainer", "path": "/bin/true", "args": ["true"]}]'
  xpu_bundle one 'ls /dev | grep xpu'
  annotate "$T/one" cdi.k8s.io/plugin_card=other.com/card=0
  edit_bundle "$T/one" '.linux.devices += [{"path": "/dev/xpu1", "type": "c", "major": 10, "minor": 237}]'

  try hami run --bundle "$T/one" one

  assert_status 0
  assert_equal xpu1 "$out"
}

@test "CDI devices that nobody describes, and hostile specifications, are one error" {
  cdi_spec card.json '"mounts": [{"hostPath": "/etc", "containerPath": "/x"}]'
  xpu_bundle one true
  annotate "$T/one" hami.io/cdi-devices=other.com/card=0
  refuse "$T/one"
  assert_in "'/etc' must not be given" "$err"

  cdi_spec card.json '"deviceNodes": [{"path": "/dev/xpu1"}]'
  chmod 0666 "$T/cdi/card.json"
  refuse "$T/one"
  assert_in "card.json" "$err"

  annotate "$T/one" hami.io/cdi-devices=other.com/card=7
  refuse "$T/one"
  assert_in "other.com/card=7" "$err"
}
