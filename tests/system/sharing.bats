# Many processes and threads at the limit of one slice, in a real container: never a byte above it, and zero after the end.

load lib/common
load lib/rootfs
load lib/bundle
load lib/node

setup_file() {
  make_node
  make_glibc_rootfs "$F/rootfs" "$CLIENT"
}

setup() {
  fresh_test_dir
  use_config "$T/config.toml" "$T/state"
}

teardown() {
  local id
  for id in $(low_level list -q 2>/dev/null); do low_level delete --force "$id" || true; done
}

@test "eight processes of eight threads at the limit: the card never holds more than the slice, and nothing after SIGKILL" {
  slice_bundle one 1000 client press 8 8
  start_container one
  local until=$((SECONDS + 10)) used highest=0
  while [ "$SECONDS" -lt "$until" ]; do
    used=$(card_bytes_used)
    [ "$used" -le $((1000 * 1024 * 1024)) ] || explain "the card holds $used bytes for a slice of 1000 MiB"
    [ "$used" -le "$highest" ] || highest=$used
  done
  # The pressure was real: the limit was touched, from below.
  [ "$highest" -ge $((800 * 1024 * 1024)) ] || explain "the test never came near the limit: $highest bytes"

  hami kill one KILL
  wait_for 10 nothing_on_the_cards
}

@test "processes killed with SIGKILL give their memory back to the rest of the container" {
  slice_bundle one 1000 sleep 100000
  start_container one
  local round
  for round in 1 2 3; do
    hami exec --detach one client hold 900
    wait_for 10 container_holds 900
    try hami exec one client alloc 500
    assert_in "500 MiB: CUDA_ERROR_OUT_OF_MEMORY" "$out"
    hami exec one pkill -KILL client
    wait_for 10 hami_exec_allocates 900
  done
}
