# The node ledger under violence: killed runtimes, lost containers, a reboot, many creates at once.

load lib/common
load lib/rootfs
load lib/bundle
load lib/node
load lib/direct

# whole_node_bundle NAME COMMAND...: a bundle that asks for all of both cards.
whole_node_bundle() {
  make_bundle "$T/$1" "$F/rootfs" "${@:2}"
  annotate "$T/$1" nvidia.com/gpu=2 nvidia.com/gpumem="$CARD_MIB"
}

# assert_node_is_free: the whole node can be had by one container.
assert_node_is_free() {
  whole_node_bundle probe true
  try hami run --bundle "$T/probe" probe
  assert_status 0
  rm -rf "$T/probe"
}

@test "a runtime killed at any moment of create loses nothing for ever" {
  local delay round=0
  for delay in 0 1 2 3 4 5 6 7 8 9 10 12 14 16 18 20 23 26 30 35 40 50; do
    round=$((round + 1))
    whole_node_bundle "k$round" sleep 100000
    setsid "$HAMI" --root "$T/root" create --bundle "$T/k$round" "k$round" </dev/null >/dev/null 2>&1 3>&- &
    local pid=$!
    sleep "0.0$(printf '%02d' "$delay")"
    kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
    # What an engine does next.
    hami delete --force "k$round" >/dev/null 2>&1 || true
    jq -e . "$T/k$round/config.json" >/dev/null || explain "config.json was left half written after $delay ms"
    wait_for 10 assert_node_is_free
    rm -rf "$T/k$round"
  done
}

@test "a container whose low-level runtime deleted it behind our back frees its slice for the next create" {
  whole_node_bundle one sleep 100000
  edit_bundle "$T/one" '.'
  start_container one
  # Without the poststop hook: the state directory and the processes vanish as after a crash of the host's shim.
  kill -KILL "$(low_level state one | jq .pid)"
  wait_for 10 container_stopped one
  rm -rf "$T/root/one"
  assert_leases 1

  assert_node_is_free
}

container_stopped() { [ "$(low_level state "$1" | jq -r .status)" = stopped ]; }

@test "a container that is killed but not deleted yet is not alive, and its slice may go to the next" {
  whole_node_bundle one sleep 100000
  start_container one
  kill -KILL "$(low_level state one | jq .pid)"
  wait_for 10 container_stopped one

  assert_node_is_free
}

@test "the lease of a live container is never taken for stale" {
  whole_node_bundle one sleep 100000
  start_container one
  slice_bundle two 1 true
  local round
  for round in 1 2 3 4 5; do
    try hami run --bundle "$T/two" two
    assert_status 1
    assert_leases 1
  done
  hami pause one
  try hami run --bundle "$T/two" two
  assert_status 1
  assert_leases 1
  hami resume one
}

@test "a created container that nobody has started yet keeps its slice" {
  whole_node_bundle one sleep 100000
  hami create --bundle "$T/one" one </dev/null >"$T/one/output" 2>&1
  slice_bundle two 1 true
  try hami run --bundle "$T/two" two
  assert_status 1
  hami start one
  hami delete --force one
  assert_nothing_left
}

@test "leases of another boot end" {
  whole_node_bundle one sleep 100000
  start_container one
  low_level kill one KILL
  wait_for 10 container_stopped one
  rm -rf "$T/root/one"
  local lease
  lease=$(leases)
  jq '.boot_id = "00000000-0000-0000-0000-000000000000" | .creator_pid = 1' "$lease" >"$lease.new"
  mv "$lease.new" "$lease"

  assert_node_is_free
}

@test "a damaged lease keeps its card from others and is told; the other card goes on, and its end frees it" {
  slice_bundle one 3000 sleep 100000
  start_container one
  truncate -s 20 "$(leases)"
  slice_bundle two 1000 true
  try hami run --bundle "$T/two" two
  assert_status 0

  whole_node_bundle all true
  try hami run --bundle "$T/all" all
  assert_status 1
  assert_in "held by one container alone" "$err"
  try "$HAMI_BUILD_DIR/bin/hamictl" ps --state-dir "$STATE"
  assert_in "hamictl release one-" "$out"

  hami delete --force one
  assert_node_is_free
}

@test "an administrator ends a damaged lease whose container is gone" {
  slice_bundle one 3000 sleep 100000
  start_container one
  kill -KILL "$(low_level state one | jq .pid)"
  wait_for 10 container_stopped one
  rm -rf "$T/root/one"
  local lease
  lease=$(leases)
  : >"$lease"

  "$HAMI_BUILD_DIR/bin/hamictl" release --state-dir "$STATE" "$(basename "$lease" .json)"
  assert_node_is_free
}

@test "delete --force after a refused create is harmless, twice" {
  make_bundle "$T/one" "$F/rootfs" true
  annotate "$T/one" nvidia.com/gpu=9
  try hami create --bundle "$T/one" one
  assert_status 1
  hami delete --force one
  hami delete --force one
  assert_nothing_left
}

@test "a create that the low-level runtime refuses gives the slice back by itself or at the next create" {
  whole_node_bundle one /missing/program
  try hami create --bundle "$T/one" one
  assert_status 1
  assert_node_is_free

  whole_node_bundle two true
  edit_bundle "$T/two" '.mounts += [{destination: "/x", type: "bind", source: "/nowhere", options: ["bind"]}]'
  try hami create --bundle "$T/two" two
  assert_status 1
  assert_node_is_free
}

@test "twenty creates at once share the node without a byte too much" {
  # Two cards, each holds exactly four of these.
  local each=$((CARD_MIB / 4)) i pids=() served=0
  for i in {1..20}; do
    slice_bundle "p$i" "$each" sleep 100000
  done
  for i in {1..20}; do
    hami create --bundle "$T/p$i" "p$i" </dev/null >"$T/p$i/output" 2>&1 3>&- &
    pids+=($!)
  done
  for i in "${!pids[@]}"; do
    if wait "${pids[$i]}"; then served=$((served + 1)); fi
  done

  assert_equal 8 "$served"
  assert_leases 8
  local per_card
  per_card=$(leases | xargs cat | jq -s '[.[].holdings[]] | group_by(.device) | map(map(.memory) | add) | max')
  [ "$per_card" -le $((CARD_MIB * 1024 * 1024)) ] || explain "a card is given away $per_card bytes"
  for i in {1..20}; do
    [ -d "$T/root/p$i" ] || { assert_one_line "$(cat "$T/p$i/output")"; assert_in "hami-runtime: " "$(cat "$T/p$i/output")"; }
    hami delete --force "p$i"
  done
  assert_nothing_left
}

@test "the same id under two roots of engines are two containers" {
  slice_bundle one 3000 sleep 100000
  slice_bundle two 3000 sleep 100000
  hami create --bundle "$T/one" same </dev/null >"$T/one/output" 2>&1
  "$HAMI" --root "$T/root2" create --bundle "$T/two" same </dev/null >"$T/two/output" 2>&1
  assert_leases 2
  hami delete --force same
  assert_leases 1
  "$HAMI" --root "$T/root2" delete --force same
  assert_nothing_left
}

# more_leases COUNT DEVICE: so many leases of living containers, each of a byte of the device; copies of the first lease.
more_leases() {
  local template pid=$BASHPID start i
  template=$(cat "$STATE"/ledger/one-*.json)
  start=$(cut -d' ' -f22 "/proc/$pid/stat")
  for ((i = 0; i < $1; i++)); do
    jq --arg key "copy-$2-$i" --arg device "$2" --argjson pid "$pid" --argjson start "$start" \
      '.key = $key | .container = $key | .creatorPid = $pid | .creatorStart = $start | .holdings[0].device = $device |
       .holdings[0].memory = 1 | .holdings[0].cores = 0' <<<"$template" >"$STATE/ledger/copy-$2-$i.json"
  done
  # Listed under their devices.
  "$HAMI_BUILD_DIR/bin/hamictl" ps --state-dir "$STATE" >/dev/null
}

# under_lock NAME: the system calls that a create of the bundle makes while it has the ledger's lock, one a line, in
# $T/under-lock.
under_lock() {
  strace -s 200 -o "$T/trace" "$HAMI" --root "$T/root" create --bundle "$T/$1" "$1" </dev/null >"$T/$1/output" 2>&1 3>&-
  awk '/^flock\(.*= 0$/ { split($0, part, /[(,]/); lock = part[2]; next }
       lock && index($0, "close(" lock ")") == 1 { lock = "" }
       lock' "$T/trace" >"$T/under-lock"
  assert_in 'renameat' "$(cat "$T/under-lock")"
  hami delete --force "$1"
}

@test "under the lock no container is looked at, a lease costs one system call, and one on another device none" {
  need strace
  printf '%s\n' '[policy]' 'split_count = 1000' >>"$T/config.toml"
  slice_bundle one 1 sleep 100000
  slice_bundle two 1 true
  hami create --bundle "$T/one" one </dev/null >"$T/one/output" 2>&1 3>&-
  local device few many
  device=$(jq -r '.holdings[0].device' "$STATE"/ledger/one-*.json)

  under_lock two
  few=$(wc -l <"$T/under-lock")
  more_leases 40 "$device"
  under_lock two
  many=$(wc -l <"$T/under-lock")
  [ "$many" -le $((few + 40 + 5)) ] || explain "41 leases cost $many system calls, one $few"
  assert_equal "" "$(grep -v '^write' "$T/under-lock" | grep -e '"/proc/' -e "$T/root")"

  more_leases 200 GPU-elsewhere
  under_lock two
  assert_equal "$many" "$(wc -l <"$T/under-lock")"
}

# pod_slice NAME NAMESPACE MIB COMMAND...: a bundle as of a container of a Pod, which asks for a part of one card.
pod_slice() {
  slice_bundle "$1" "$3" "${@:4}"
  annotate "$T/$1" io.kubernetes.cri.container-type=container io.kubernetes.cri.container-name="$1" \
    io.kubernetes.cri.sandbox-uid="uid-$1" io.kubernetes.cri.sandbox-id="sandbox-$1" \
    io.kubernetes.cri.sandbox-name="$1" io.kubernetes.cri.sandbox-namespace="$2"
}

@test "a namespace holds no more than its ceiling, and what others hold costs its creates nothing" {
  need strace
  printf '%s\n' '[policy]' 'split_count = 1000' '[namespaces.team-a]' 'memory = 3000' 'count = 3' >>"$T/config.toml"
  pod_slice one team-b 1 sleep 100000
  pod_slice two team-a 2000 sleep 100000
  pod_slice three team-a 1001 sleep 100000
  pod_slice four team-a 1000 sleep 100000
  pod_slice five team-a 1 true
  hami create --bundle "$T/one" one </dev/null >"$T/one/output" 2>&1 3>&-
  under_lock five # makes what the ledger keeps of a namespace
  under_lock five
  local few
  few=$(wc -l <"$T/under-lock")

  # Three hundred leases of another namespace, on a card that nobody asks for here.
  more_leases 300 GPU-elsewhere
  assert_leases 301
  under_lock five
  assert_equal "$few" "$(wc -l <"$T/under-lock")"

  hami create --bundle "$T/two" two </dev/null >"$T/two/output" 2>&1 3>&-
  try hami create --bundle "$T/three" three
  assert_status 1
  assert_one_line "$err"
  assert_in "namespace 'team-a'" "$err"
  assert_in "3000MiB" "$err"
  hami create --bundle "$T/four" four </dev/null >"$T/four/output" 2>&1 3>&-
  try hami create --bundle "$T/five" five
  assert_status 1

  hami delete --force two
  hami create --bundle "$T/three" three </dev/null >"$T/three/output" 2>&1 3>&-
}
