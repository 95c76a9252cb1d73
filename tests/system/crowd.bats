# Two hundred creates at once on eight cards that have room for exactly a hundred. HAMI_TEST_REPEATS (1) rounds.

load lib/common
load lib/rootfs
load lib/bundle
load lib/node
load lib/direct

ROOM=100
CREATES=200
PART_MIB=1000

# Eight cards of two sizes: four have room for thirteen parts, four for twelve.
node_topology() {
  printf '%s\n' 'exact = 1' 'check_nodes = 1' "context_mib = 64"
  printf '[gpu]\nmemory_mib = %s\n' 13000 12000 13000 12000 13000 12000 13000 12000
}

# Placed by turns, each card fills; the log tells who waited long for the ledger.
setup() {
  mapfile -t creates < <(seq -f 'c%g' 0 $((CREATES - 1)))
  fresh_test_dir
  use_config "$T/config.toml" "$T/state" '[policy]' 'split_count = 100'
  sed -i "s|^\[runtime\]$|&\nlog = \"$T/log\"|" "$T/config.toml"
  slice_bundle parts "$PART_MIB" sleep 100000
  local name
  for name in "${creates[@]}"; do part_bundle "$name"; done
}

# part_bundle NAME: asks for a part of a card; the containers share their files.
part_bundle() {
  mkdir "$T/$1"
  jq --arg rootfs "$T/parts/rootfs" --arg cgroup "/$HAMI_TEST_NAME/$1" \
    '.root = {path: $rootfs, readonly: true} | .linux.cgroupsPath = $cgroup' \
    <"$T/parts/config.json" >"$T/$1/config.json"
}

# create NAME: as an engine does; the file $T/NAME/status has its exit status.
create() {
  local status=0
  hami create --bundle "$T/$1" "$1" </dev/null >"$T/$1/output" 2>&1 3>&- || status=$?
  echo "$status" >"$T/$1/status"
}

# create_all NAME...: at once.
create_all() {
  local name
  for name in "$@"; do create "$name" & done
  wait
}

# kill_soon NAME: starts a create of it and kills it at a moment of its first 50 ms; then what an engine does.
kill_soon() {
  "$HAMI" --root "$T/root" create --bundle "$T/$1" "$1" </dev/null >/dev/null 2>&1 3>&- &
  sleep "0.0$(printf '%02d' $((RANDOM % 50)))"
  kill -KILL $! 2>/dev/null || true
  wait $! 2>/dev/null || true
  hami delete --force "$1" >/dev/null 2>&1 || true
}

refused() { grep -Lx 0 "$T"/c*/status | xargs -rn1 dirname | xargs -rn1 basename; }

# Exactly as many as there is room for hold a part, all others were told why, and no card is given away twice.
assert_full_node() {
  local name
  assert_equal $((CREATES - ROOM)) "$(refused | grep -c .)"
  assert_equal "$ROOM" "$(low_level list -q | grep -c '^c')"
  assert_leases "$ROOM"
  for name in $(refused); do
    assert_one_line "$(cat "$T/$name/output")"
    assert_in "but this node has device 0" "$(cat "$T/$name/output")"
  done
  assert_equal "12000 13000" "$(leases | xargs cat | jq -rs \
    '[.[].holdings[]] | group_by(.device) | map(map(.memory) | add / 1048576) | unique | join(" ")')"
}

# How long the create waited for the ledger that waited longest, for who reads the output.
tell_longest_wait() {
  local longest
  longest=$(grep -o 'waited [0-9]* ms' "$T/log" 2>/dev/null | grep -o '[0-9]*' | sort -n | tail -1)
  echo "# longest wait for the ledger: ${longest:-less than 100} ms, waits over 100 ms: $(grep -c 'waited' "$T/log" 2>/dev/null)" >&3
  rm -f "$T/log"
}

delete_all() {
  local name
  for name in $(low_level list -q); do hami delete --force "$name" & done
  wait
  assert_nothing_left
}

@test "of two hundred creates at once exactly the hundred start that have room" {
  local round name
  for ((round = 0; round < ${HAMI_TEST_REPEATS:-1}; round++)); do
    create_all "${creates[@]}"
    tell_longest_wait
    assert_full_node
    for name in $(low_level list -q); do hami start "$name"; done
    assert_equal "$ROOM" "$(low_level list | grep -c ' running ')"
    delete_all
  done
}

@test "and while others are killed, what they held goes to those that go on" {
  local round i again
  for ((i = 0; i < 20; i++)); do part_bundle "killed$i"; done
  for ((round = 0; round < ${HAMI_TEST_REPEATS:-1}; round++)); do
    for ((i = 0; i < 20; i++)); do kill_soon "killed$i" & done
    create_all "${creates[@]}"
    tell_longest_wait
    # Those that were refused while a killed one still had its part.
    mapfile -t again < <(refused)
    create_all "${again[@]}"
    assert_full_node
    delete_all
  done
}
