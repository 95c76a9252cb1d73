# What happens to a container's slice after its start: updates, storms, a node that forgets everything, long use.

load lib/common
load lib/rootfs
load lib/bundle
load lib/node
load lib/docker

setup_file() {
  make_node
  make_glibc_rootfs "$F/rootfs" "$CUDACLI"
  use_config "$F/config.toml" "$F/docker-state"
  start_docker ".runtimes.hami.path = \"$HAMI\" | .\"live-restore\" = true"
  import_image "$F/rootfs" hami-test:1
}

setup() {
  fresh_test_dir
  use_config "$T/config.toml" "$T/state"
}

teardown() {
  local id ids
  for id in $(low_level list -q 2>/dev/null); do low_level delete --force "$id" || true; done
  ids=$(private_docker ps -aq)
  # shellcheck disable=SC2086
  [ -z "$ids" ] || private_docker rm -f $ids >/dev/null
}

no_lease() { [ -z "$(leases)" ]; }

# assert_card_open EXEC...: the granted card's node answers as one that the cgroup allows: nobody serves its number here.
assert_card_open() {
  try "$@" sh -c 'cat /dev/nvidia[0-9]'
  assert_in "No such device or address" "$err"
}

@test "update leaves the right to the granted card, and gives none to another" {
  slice_bundle one 3000 sleep 100000
  edit_bundle "$T/one" '.process.capabilities[] += ["CAP_MKNOD"]'
  start_container one
  assert_card_open hami exec one
  hami update --pids-limit 200 one
  echo '{"memory": {"limit": 268435456}, "cpu": {"shares": 512}}' | hami update --resources - one
  assert_card_open hami exec one
  local granted
  granted=$(hami exec one sh -c 'ls /dev | grep "^nvidia[0-9]"')
  hami exec one mknod /dev/neighbour c $(device_numbers "$NODE/driver/dev/nvidia$((1 - ${granted#nvidia}))")
  try hami exec one sh -c 'cat /dev/neighbour'
  assert_in "Operation not permitted" "$err"
}

@test "docker update and a restart of dockerd leave a running container its slice" {
  STATE=$F/docker-state
  docker_run --runtime=hami -d --name one -e HAMI_RESOURCES=nvidia.com/gpu=1,nvidia.com/gpumem=3000 hami-test:1 \
    sleep 100000 >/dev/null
  assert_card_open private_docker exec one
  # Without a limit in the update crun 1.8 sets the one of 0 that dockerd sends, and fails, with or without us.
  private_docker update --cpu-shares 512 --pids-limit 100 --memory 512m --memory-swap 512m one >/dev/null
  assert_card_open private_docker exec one

  kill -HUP "$(<"$F/docker/pid")"
  assert_card_open private_docker exec one

  local daemon
  daemon=$(<"$F/docker/pid")
  kill "$daemon"
  wait_for 20 process_ended "$daemon"
  assert_leases 1
  HAMI_CONFIG_FILE=$F/config.toml start_docker ".runtimes.hami.path = \"$HAMI\" | .\"live-restore\" = true"
  assert_card_open private_docker exec one
  try private_docker exec one nvidia-smi
  assert_in "MiB / 3000MiB" "$out"
  private_docker rm -f one >/dev/null
  wait_for 10 no_lease
}

@test "a hundred starts at once: exactly what fits gets its slice, the rest is refused, nothing is given out twice" {
  local i fit
  fit=$((2 * (CARD_MIB / 1024)))
  for i in $(seq 100); do slice_bundle "c$i" 1024 sleep 100000; done
  for i in $(seq 100); do
    (hami create --bundle "$T/c$i" "c$i" </dev/null >"$T/c$i/output" 2>&1; echo $? >"$T/c$i/status") &
  done
  wait
  local started
  started=$(cat "$T"/c*/status | grep -cx 0)
  [ "$started" -le "$fit" ] && [ "$started" -ge $((fit - 2)) ] || explain "$started of 100 started, $fit fit"
  assert_leases "$started"
  assert_equal "$started" "$(low_level list -q | wc -l)"
  local refused
  refused=$(cat "$T"/c*/output | grep -c '^hami-runtime: ')
  assert_equal $((100 - started)) "$refused"
  # No card has more given out than it has.
  jq -s '[.[].holdings[]] | group_by(.device)[] | map(.memory) | add' "$STATE"/ledger/*.json | while read -r bytes; do
    [ "$bytes" -le $((CARD_MIB * 1048576)) ] || explain "$bytes bytes of one card are given out"
  done
  for i in $(seq 100); do hami delete --force "c$i"; done
  assert_nothing_left
}

@test "a driver that is updated between two starts: the second container gets the new one, nothing of the old" {
  local look='nvidia-smi | grep -o "Driver Version: [0-9.]*"; ls /usr/lib/*/libcuda.so.[0-9][0-9]*'
  slice_bundle before 3000 sh -c "$look"
  try hami run --bundle "$T/before" before
  assert_status 0
  local old=$out

  node_topology | sed '1i driver_version = 999.11.22' >"$T/topology"
  "$HAMI_SOURCE_DIR/tests/fakeroot/mkfakeroot" --build "$HAMI_BUILD_DIR" --config "$T/topology" "$T/updated"
  mv "$NODE/driver" "$T/driver.old" && mv "$T/updated" "$NODE/driver"
  slice_bundle after 3000 sh -c "$look"
  try hami run --bundle "$T/after" after
  rm -rf "$NODE/driver" && mv "$T/driver.old" "$NODE/driver"

  assert_status 0
  assert_in "Driver Version: 999.11.22" "$out"
  assert_in libcuda.so.999.11.22 "$out"
  assert_equal 2 "$(wc -l <<<"$out")"
  [ "$old" != "$out" ] || explain "the first start had the new driver already"
}

@test "a node that starts anew: the state directory is gone, and containers start as on the first day" {
  slice_bundle one 3000 sleep 100000
  start_container one
  low_level kill one KILL
  rm -rf "$T/state" "$T/root" # /run after a boot
  slice_bundle two 3000 nvidia-smi
  try hami run --bundle "$T/two" two
  assert_status 0
  assert_in "0MiB / 3000MiB" "$out"
  # The bundle that an engine kept over the boot.
  try hami run --bundle "$T/one" one-again </dev/null &
  local job=$!
  wait_for 20 test -n "$(leases)" || true
  wait_for 20 low_level_runs one-again
  low_level kill one-again KILL
  wait "$job" || true
  wait_for 10 no_lease
}

low_level_runs() { low_level list -q | grep -qx "$1"; }

@test "a lease of another boot is ended by the next start" {
  slice_bundle one 3000 sleep 100000
  start_container one
  local lease
  lease=$(leases)
  jq '.bootId = "00000000-0000-0000-0000-000000000000"' "$lease" >"$T/lease"
  cat "$T/lease" >"$lease"
  try "$HAMI_BUILD_DIR/bin/hamictl" release --stale --state-dir "$STATE"
  assert_in released "$out"
  assert_leases 0
}

# soak OPTION...: no descriptor of bats: what a killed runtime leaves running would keep it.
soak() {
  try "$HAMI_SOURCE_DIR/tests/system/soak" --runtime "$HAMI" --root "$T/root" --state "$STATE" --bundle "$T/soak" "$@" 3>&-
  echo "$out" >&2
  assert_status 0
}

@test "starts, kills and deletes at random leave nothing behind, of us and of the low-level runtime" {
  slice_bundle soak 512 sleep 1
  soak --seconds "${HAMI_SOAK_SECONDS:-10}" --spare-creates
}

@test "creates that are killed leave nothing of ours behind" {
  slice_bundle soak 512 sleep 1
  soak --seconds "${HAMI_SOAK_SECONDS:-10}"
}
