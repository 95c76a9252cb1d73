# Every recipe on a real low-level runtime, on the node that its own tests describe: what can be opened, and what not.
#
# Most of these numbers are served by no driver here. A node that the cgroup lets through then answers "No such device",
# and one that it does not "Operation not permitted".

load lib/common
load lib/rootfs
load lib/bundle
load lib/node
load lib/direct

setup_file() {
  need_built bin/hami-runtime bin/hami-hook bin/hami-probe lib/libvgpu.so bin/recipe-node
  make_glibc_rootfs "$F/rootfs" "$(command -v env)"
  install -m 0755 /dev/stdin "$F/rootfs/look" <<'LOOK'
#!/bin/sh
# What is in /dev, what is mounted, and what opening each node says.
find /dev -type c -o -type b | while read -r node; do stat -c 'node %n %t:%T' "$node"; done | sort
cut -d ' ' -f 5 /proc/self/mountinfo | sed 's/^/mounted /' | sort
for node in $(find /dev /neighbour -type c 2>/dev/null | sort); do
  case $node in /dev/pts/* | /dev/ptmx | /dev/console) continue ;; esac
  echo "open $node $( (: <"$node") 2>&1 | sed 's/.*: //')"
done
LOOK
}

# recipe_config RECIPE: the node of its tests is the node of this test.
recipe_config() {
  NODE=$T/node
  mkdir -p "$NODE/recipes"
  TMPDIR=$T "$HAMI_BUILD_DIR/bin/recipe-node" "$HAMI_SOURCE_DIR/vendors/$1.yaml" "$NODE/driver"
  chmod 0755 "$NODE/driver"
  install -m 0644 "$HAMI_SOURCE_DIR"/vendors/*.yaml "$NODE/recipes/"
  use_config "$T/config.toml" "$T/state"
  [ ! -e "$NODE/driver/bin/probe" ] ||
    sed -i "s|^probe = .*|probe = \"$NODE/driver/bin/probe\"|" "$T/config.toml"
}

# ask BUNDLE CASE: what the case of the golden tests asks for.
ask() {
  local kind name value
  read -r kind name value < <(sed -nE 's/^request: \{(env|annotations): \{([^:]+): "([^"]*)"\}\}$/\1 \2 \3/p' "$2/case.yaml")
  [ -n "$kind" ] || explain "$2 asks in a way that this test does not understand"
  if [ "$kind" = env ]; then
    edit_bundle "$1" --arg set "$name=$value" '.process.env += [$set]'
  else
    annotate "$1" "$name=$value"
  fi
}

# numbers MAJOR:MINOR, in hexadecimal as stat tells them
numbers() { printf '%x:%x' "${1%:*}" "${1#*:}"; }

# The nodes that the case gives, as `look` prints them.
given_nodes() {
  local word path pair
  while read -r word path pair _; do
    [ "$word" != device ] || echo "node $path $(numbers "$pair")"
  done <"$1/expected.txt"
}

# add_neighbours BUNDLE GIVEN: every other node of the host, under a name of the image's own.
add_neighbours() {
  local node pair count=0
  mkdir "$1/rootfs/neighbour"
  while read -r node; do
    pair=$(stat -c %t:%T "$node")
    ! grep -q " $pair$" <<<"$2" || continue
    mknod -m 0666 "$1/rootfs/neighbour/$((count += 1))" c "0x${pair%:*}" "0x${pair#*:}"
  done < <(find "$NODE/driver/dev" -type c)
}

# Lines of the second text that the first lacks.
beyond() { comm -13 <(sort <<<"$1") <(sort <<<"$2"); }

# check_recipe NAME CASE: 0 when the container of this case has what is the case's, and nothing else. Each assertion
# returns by itself: errexit does not hold where a caller asks for the status.
check_recipe() {
  local name=$1 case=$2 given plain added unlisted path
  rm -rf "$T"/{node,state,plain,one}
  recipe_config "$name" || return 1
  given=$(given_nodes "$case")
  make_bundle "$T/plain" "$F/rootfs" /look || return 1
  try hami run --bundle "$T/plain" plain
  assert_status 0 || return 1
  plain=$out
  make_bundle "$T/one" "$F/rootfs" /look || return 1
  add_neighbours "$T/one" "$given" || return 1
  ask "$T/one" "$case" || return 1

  try hami run --bundle "$T/one" one

  assert_status 0 || return 1
  added=$(beyond "$plain" "$out")
  assert_equal "$(sort <<<"$given")" "$(grep '^node ' <<<"$added")" || return 1
  while read -r _ path _; do
    assert_not_in "open $path Operation not permitted" "$added" || return 1
    assert_in "open $path" "$added" || return 1
  done <<<"$given"
  unlisted=$(grep '^open /neighbour/' <<<"$added" | grep -v 'Operation not permitted$' || true)
  assert_equal "" "$unlisted" || return 1
  assert_equal "$(find "$T/one/rootfs/neighbour" -type c | wc -l)" "$(grep -c '^open /neighbour/' <<<"$added" || true)" || return 1
  check_mounts "$case" "$added" || return 1
  assert_leases 0 || return 1
}

# check_mounts CASE ADDED: mounted beside the usual is what the case says, and all of that; the loader's cache is the hook's.
check_mounts() {
  local said mounted
  said=$(sed -nE 's/^mount [^ ]+ ([^ ]+) .*/\1/p' "$1/expected.txt" | sed "s|[$]{host.triplet}|$(uname -m)-linux-gnu|" | sort)
  mounted=$(sed -n 's/^mounted //p' <<<"$2" | grep -vx /etc/ld.so.cache | sort || true)
  assert_equal "$said" "$mounted"
}

@test "every vendor's device can be opened, its neighbours' nodes cannot, and nothing else of the host is there" {
  local recipe name case failed="" checked=0
  for recipe in "$HAMI_SOURCE_DIR"/vendors/*.yaml; do
    name=$(basename "$recipe" .yaml)
    for case in index count; do
      [ ! -d "$HAMI_SOURCE_DIR/tests/golden/vendors/$name/$case" ] || break
    done
    check_recipe "$name" "$HAMI_SOURCE_DIR/tests/golden/vendors/$name/$case" || failed+=" $name"
    checked=$((checked + 1))
  done
  [ "$checked" -ge 18 ] || explain "only $checked recipes were found"
  assert_equal "" "$failed"
}

# driver_library LIBRARY DIR DEV MAJOR: the library of the tests is the vendor's, and makes nodes in DEV.
driver_library() {
  need_built "tests/lib$1"
  mkdir -p "$2" "$3"
  install -m 0644 "$HAMI_BUILD_DIR/tests/lib$1" "$2/lib${1#fake_}"
  echo "$3 $4" >"$2/nodes"
  sed -i "s|^probe = .*|probe = \"$HAMI_BUILD_DIR/bin/hami-probe\"|" "$T/config.toml"
}

# made_and_destroyed NODE HEX: the bundle `one`, run by /look, has the driver's new node, and afterwards it is gone.
made_and_destroyed() {
  edit_bundle "$T/one" '.process.args = ["sh", "-c", "/look; sleep 100000"]'
  start_container one
  wait_for 30 grep -q "^open /dev/zero" "$T/one/output"
  assert_in "node $1 $2" "$(cat "$T/one/output")"
  assert_in "open $1 No such device" "$(cat "$T/one/output")"
  assert_equal "" "$(grep '^open /neighbour/' "$T/one/output" | grep -v 'Operation not permitted$' || true)"
  assert_leases 1
  end_container one
  assert_leases 0
  assert_equal "" "$(find "$STATE/subdevices" -name '*.json')"
}

@test "Ascend: the library makes a vNPU for the container, and destroys it with it" {
  recipe_config ascend
  driver_library fake_dcmi.so "$NODE/driver/usr/local/dcmi" "$NODE/driver/dev" 240
  rm "$NODE/driver/usr/local/Ascend/driver/lib64/driver/libdcmi.so" "$NODE"/driver/dev/vdavinci*
  mknod "$NODE/driver/dev/davinci12" c 238 12
  make_bundle "$T/one" "$F/rootfs" true
  annotate "$T/one" huawei.com/Ascend910B3=1 huawei.com/Ascend910B3-memory=16384
  add_neighbours "$T/one" "$(printf 'node x %s\n' "$(numbers 239:0)" "$(numbers 237:0)" "$(numbers 236:0)")"

  made_and_destroyed /dev/davinci292 "$(numbers 240:292)"

  assert_not_in "/dev/davinci12 " "$(cat "$T/one/output")"
  [ ! -e "$NODE/driver/dev/vdavinci292" ] || explain "the vNPU is still there"
}

# faulty_library WHAT SAID: the library does that once it has made a vNPU, and the error says so.
faulty_library() {
  recipe_config ascend
  driver_library fake_dcmi.so "$NODE/driver/usr/local/dcmi" "$NODE/driver/dev" 240
  sed -i "s/$/ $1/" "$NODE/driver/usr/local/dcmi/nodes"
  rm "$NODE/driver/usr/local/Ascend/driver/lib64/driver/libdcmi.so" "$NODE"/driver/dev/vdavinci*
  mknod "$NODE/driver/dev/davinci12" c 238 12
  make_bundle "$T/one" "$F/rootfs" true
  annotate "$T/one" huawei.com/Ascend910B3=1 huawei.com/Ascend910B3-memory=16384

  refuse "$T/one"

  assert_one_line "$err"
  assert_in "ascend device" "$err"
  assert_in "$2" "$err"
  assert_leases 0
  assert_equal "" "$(find "$STATE/subdevices" -name '*.json')"
  assert_equal "" "$(find "$NODE/driver/dev" -name 'vdavinci*')"
}

@test "Ascend: a library that crashes when it has made a vNPU is one error, and nothing is left" {
  faulty_library crash "it crashed"
}

@test "Ascend: a library that hangs when it has made a vNPU is ended, and nothing is left" {
  faulty_library hang "no answer within"
}

@test "Cambricon: the library makes an sMLU instance for the container, and destroys it with it" {
  local caps
  recipe_config cambricon
  caps=$NODE/driver/dev/cambricon-caps
  driver_library fake_cndev.so "$NODE/driver/usr/lib64" "$caps" 244
  mkdir -p "$NODE/driver/sys/dev/char/244:17"
  printf '%s\n' MAJOR=244 MINOR=17 DEVNAME=cambricon-caps/cap_dev1_mi1 >"$NODE/driver/sys/dev/char/244:17/uevent"
  printf '%s\n' 'apiVersion: hami.io/recipe/v1' 'kind: Overlay' 'extends: cambricon' \
    'devices: {fields: {memory: {type: number, from: {value: "51539607552"}}}}' >"$NODE/recipes/z-memory.yaml"
  make_bundle "$T/one" "$F/rootfs" true
  annotate "$T/one" cambricon.com/vmlu=1 cambricon.com/mlu.smlu.vmemory=16 cambricon.com/mlu.smlu.vcore=30 \
    cambricon.com/use-gpuuuid=MLU-slot-1
  add_neighbours "$T/one" "$(printf 'node x %s\n' "$(numbers 241:255)" "$(numbers 241:1)" "$(numbers 242:1)")"

  made_and_destroyed /dev/cambricon-caps/cap_dev1_mi1 "$(numbers 244:17)"

  assert_equal "" "$(ls "$caps")"
}
