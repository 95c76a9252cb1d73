# Slices that a vendor's driver makes, on a real low-level runtime: made before the container, destroyed after it, found
# again after a kill. The driver is a shell script; the card and its parts have numbers that this kernel serves.

load lib/common
load lib/rootfs
load lib/bundle
load lib/node
load lib/direct

setup_file() {
  make_node
  make_glibc_rootfs "$F/rootfs" "$CUDACLI"
  mknod -m 0666 "$NODE/driver/dev/partcard0" c 10 229
  mkdir -p "$NODE/driver/dev/parts" "$NODE/driver/usr/sbin"
  printf '%s\n' 'apiVersion: hami.io/recipe/v1' 'kind: Recipe' \
    'metadata: {name: partcard, vendor: example.com, class: partcard}' \
    'search: {binaries: [/usr/sbin]}' \
    'detect: {path: "${root.dev}/dev/partcard0"}' \
    'devices:' \
    '  each: {path: "${root.dev}/dev/partcard*", field: slot, type: number}' \
    '  fields:' \
    '    uuid: {type: uuid, from: {value: "part-card-${dev.slot}"}}' \
    '    memory: {type: number, from: {value: "8589934592"}}' \
    'request: {env: [PARTCARD_VISIBLE_DEVICES], tokens: [all, index]}' \
    'resources:' \
    '  count: example.com/partcard' \
    '  memory: {name: example.com/partcard-memory, unit: MiB}' \
    'slice:' \
    '  mechanism: vendor' \
    '  defaultCores: 10' \
    '  subdevice:' \
    '    list: "${root.dev}/dev/parts/part*"' \
    '    numbers: {field: slot, factor: 16, first: 100, count: 8}' \
    '    create: {tool: partctl, arguments: [create, "${slice.subdevice}", "${slice.memory_mib}"]}' \
    '    destroy: {tool: partctl, arguments: [destroy, "${slice.subdevice}"]}' \
    '    hint: switch the card to parts' \
    'inject:' \
    '  - {id: card, for: slice, when: "!has(slice.subdevice)",' \
    '     deviceNode: [{path: "/dev/partcard${dev.slot}", required: true, verify: {driver: misc}}]}' \
    '  - {id: part, for: slice, when: has(slice.subdevice),' \
    '     deviceNode: [{path: "/dev/parts/part${slice.subdevice}", required: true, verify: {driver: misc}}]}' \
    >"$NODE/recipes/partcard.yaml"
  sed -i '/^Character devices:/a\ 10 misc' "$NODE/driver/proc/devices"
}

setup() {
  fresh_test_dir
  use_config "$T/config.toml" "$T/state"
  rm -f "$NODE"/driver/dev/parts/*
  part_tool ''
}

# part_tool SHELL: what the vendor's tool does first.
part_tool() {
  printf '%s\n' '#!/bin/sh' "$1" "parts=$NODE/driver/dev/parts" \
    'case $1 in create) mknod -m 0666 $parts/part$2 c 10 237;; destroy) rm $parts/part$2;; esac' \
    >"$NODE/driver/usr/sbin/partctl"
  chmod 0755 "$NODE/driver/usr/sbin/partctl"
}

part_bundle() {
  make_bundle "$T/$1" "$F/rootfs" sh -c "$2"
  annotate "$T/$1" example.com/partcard=1 example.com/partcard-memory=1000
}

parts() { (cd "$NODE/driver/dev/parts" && echo *); }
records() { find "$STATE/subdevices" -name '*.json' | wc -l; }

@test "a slice is made for the container and destroyed with it" {
  part_bundle one 'ls /dev/parts; ls /dev | grep partcard; sleep 100000'
  start_container one
  assert_equal part100 "$(parts)"
  part_bundle two 'ls /dev/parts'

  try hami run --bundle "$T/two" two

  assert_status 0
  assert_equal part101 "$out"
  assert_equal part100 "$(parts)"
  wait_for 30 grep -qx part100 "$T/one/output"
  assert_not_in partcard "$(cat "$T/one/output")"
  end_container one
  assert_equal '*' "$(parts)"
  assert_equal 0 "$(records)"
  assert_nothing_left
}

@test "a tool that fails, lies or is not root's alone is one error, and nothing is left" {
  part_bundle one true
  part_tool 'echo "no room on the card" >&2; exit 3'
  refuse "$T/one"
  assert_in "no room on the card" "$err"
  assert_in "switch the card to parts" "$err"

  part_tool 'exit 0'
  refuse "$T/one"
  assert_in "is not there" "$err"

  part_tool ''
  chmod 0777 "$NODE/driver/usr/sbin/partctl"
  refuse "$T/one"
  assert_in "others than root can change it" "$err"

  assert_equal '*' "$(parts)"
  assert_equal 0 "$(records)"
}

@test "what a killed create leaves, the next one clears" {
  part_bundle one true
  part_tool '[ $1 = create ] && mknod -m 0666 '"$NODE"'/driver/dev/parts/part$2 c 10 237 && kill -9 $PPID && exit'
  try hami create --bundle "$T/one" one
  assert_equal part100 "$(parts)"
  assert_equal 1 "$(records)"

  part_tool ''
  part_bundle two 'ls /dev/parts'
  try hami run --bundle "$T/two" two

  assert_status 0
  assert_equal part100 "$out"
  assert_equal '*' "$(parts)"
  assert_nothing_left
}

@test "what the driver did not give back at delete, hamictl release --stale does" {
  part_bundle one 'sleep 100000'
  start_container one
  part_tool '[ $1 = destroy ] && exit 5'
  end_container one
  assert_equal part100 "$(parts)"
  assert_leases 0
  assert_equal 1 "$(records)"

  part_tool ''
  "$HAMI_BUILD_DIR/bin/hamictl" release --stale --state-dir "$STATE"
  assert_equal '*' "$(parts)"
  assert_equal 0 "$(records)"
}
