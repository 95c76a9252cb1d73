# Whole cards that an engine gives by itself, by --device or by its own CDI: its config.json has their nodes, and nobody asks us.

load lib/common
load lib/rootfs
load lib/bundle
load lib/node
load lib/direct

# given_bundle NAME CARD COMMAND...: the engine has put the node of the card in.
given_bundle() {
  make_bundle "$T/$1" "$F/rootfs" "${@:3}"
  give_node "$1" "nvidia$2"
}

# give_node NAME NODE [PATH]
give_node() {
  local numbers
  read -ra numbers <<<"$(device_numbers "$NODE/driver/dev/$2")"
  edit_bundle "$T/$1" --arg path "${3-/dev/$2}" --argjson major "${numbers[0]}" --argjson minor "${numbers[1]}" '
    .linux.devices += [{path: $path, type: "c", major: $major, minor: $minor}] |
    .linux.resources.devices += [{allow: true, type: "c", major: $major, minor: $minor, access: "rw"}]'
}

holdings() { jq -c '.holdings[] | [.device, .engine, .exclusive]' "$STATE"/ledger/*.json; }
uuid_of() { jq -r '.holdings[0].device' "$STATE"/ledger/*.json; }

@test "a card that the engine gave is in the ledger, and comes back with delete" {
  given_bundle one 1 sleep 100000
  start_container one
  assert_leases 1
  assert_in ',true,true]' "$(holdings)"

  end_container one
  assert_nothing_left
}

@test "nothing is added to such a container but its entry in the ledger" {
  given_bundle one 1 true
  cp "$T/one/config.json" "$T/before"
  hami create --bundle "$T/one" one </dev/null >/dev/null
  assert_equal "$(jq -S . "$T/before")" "$(jq -S 'del(.hooks, .annotations)' "$T/one/config.json")"
  assert_equal '["poststop"]' "$(jq -c '.hooks | keys' "$T/one/config.json")"
}

@test "no slice of a card that an engine gave is given beside, whatever name its node has in the container" {
  make_bundle "$T/one" "$F/rootfs" sleep 100000
  give_node one nvidia0 /dev/renamed
  start_container one

  slice_bundle two 1000 true
  annotate "$T/two" nvidia.com/use-gpuuuid="$(uuid_of)"
  try hami create --bundle "$T/two" two
  assert_status 1
  assert_in "held by one container alone" "$err"
  # The other card is free.
  slice_bundle three 1000 nvidia-smi -L
  try hami run --bundle "$T/three" three
  assert_status 0
}

@test "a card with slices is not given whole beside them" {
  slice_bundle one 1000 sleep 100000
  start_container one
  local card
  card=$(jq -r '.linux.devices[].path | select(test("nvidia[0-9]"))' "$T/one/config.json")
  given_bundle two "${card#/dev/nvidia}" true
  cp "$T/two/config.json" "$T/config.before"
  try hami create --bundle "$T/two" two
  assert_status 1
  assert_one_line "$err"
  assert_in "linux.devices asks for 1 nvidia device" "$err"
  assert_same_file "$T/config.before" "$T/two/config.json"

  end_container one
  try hami run --bundle "$T/two" two
  assert_status 0
}

@test "an engine may give one card to several containers" {
  given_bundle one 0 sleep 100000
  given_bundle two 0 sleep 100000
  start_container one
  start_container two
  assert_leases 2
  slice_bundle three 1000 true
  annotate "$T/three" nvidia.com/use-gpuuuid="$(uuid_of | head -n 1)"
  try hami create --bundle "$T/three" three
  assert_in "held whole by 2 containers" "$err"
}

@test "a whole card besides the slice that is asked for is refused" {
  slice_bundle one 1000 true
  give_node one nvidia0
  give_node one nvidia1
  refuse "$T/one"
  assert_in "linux.devices has device GPU-" "$err"
}

@test "devices of no vendor, privileged containers and policy's ignore are not counted" {
  make_bundle "$T/one" "$F/rootfs" true
  edit_bundle "$T/one" '.linux.devices += [{path: "/dev/zero2", type: "c", major: 1, minor: 5}]'
  cp "$T/one/config.json" "$T/before"
  hami create --bundle "$T/one" one </dev/null >/dev/null
  assert_same_file "$T/before" "$T/one/config.json"

  given_bundle two 0 true
  edit_bundle "$T/two" '.process.capabilities.bounding += ["CAP_SYS_ADMIN"]'
  hami create --bundle "$T/two" two </dev/null >/dev/null
  assert_leases 0

  use_config "$T/config.toml" "$STATE" '[policy]' 'engine_devices = "ignore"'
  given_bundle three 0 true
  hami create --bundle "$T/three" three </dev/null >/dev/null
  assert_leases 0
}

@test "what a specification of CDI describes is counted when the engine left it to us" {
  printf '\n' >>"$T/config.toml"
  sed -i "/^\[recipes\]/a cdi_dirs = [\"$T/cdi\"]" "$T/config.toml"
  "$HAMI_BUILD_DIR/bin/hamictl" cdi generate --output "$T/cdi" >/dev/null
  make_bundle "$T/one" "$F/rootfs" sleep 100000
  annotate "$T/one" cdi.k8s.io/plugin=hami.io/gpu=1
  start_container one
  assert_leases 1
  assert_in ',true,true]' "$(holdings)"
}
