# Many processes and threads at the limit of one slice, in a real container: never a byte above it, and zero after the end.

load lib/common
load lib/rootfs
load lib/bundle
load lib/node
load lib/direct

# The simulator's own books.
books() { "$HAMI_BUILD_DIR/simdriver/simgpu-stat" "$NODE/driver/var/lib/simgpu/state"; }

# Bytes of allocations that one container has held on the first card at most, at any instant.
peak_granted() {
  { echo 0; books | sed -n 's/^container .* device=0 .* peak_granted=\([0-9]*\).*/\1/p'; } | sort -n | tail -1
}

nothing_on_the_cards() { ! books | grep -qE ' (used|granted)=[1-9]'; }

MIB=$((1024 * 1024))

@test "eight processes of eight threads at the limit never get more than the slice, and hold nothing after SIGKILL" {
  # 64 threads of 200 MiB each want four times the slice. Eight contexts take 512 MiB of it, so twelve threads fill it.
  slice_bundle one 3000 sh -c 'for i in 1 2 3 4 5 6 7 8; do cudacli --threads 8 churn 200 1000000000 & done; wait'
  start_container one

  # The simulator keeps the highest amount of all instants, so nothing between two looks is missed.
  local until=$((SECONDS + 10))
  while [ "$SECONDS" -lt "$until" ]; do
    [ "$(peak_granted)" -le $((3000 * MIB)) ] || explain "more than the slice was given: $(books)"
    sleep 0.2
  done
  # The pressure was real: the limit was met, from below.
  [ "$(peak_granted)" -ge $((2200 * MIB)) ] || explain "the test never came near the limit: $(books)"

  hami kill one KILL
  wait_for 10 nothing_on_the_cards
}

@test "processes killed with SIGKILL give their memory back to the rest of the container" {
  slice_bundle one 1000 sleep 100000
  start_container one
  local round
  for round in 1 2 3; do
    hami exec --detach one cudacli --hold 100000 alloc 800 </dev/null >"$T/holder" 2>&1
    wait_for 10 grep -q CUDA_SUCCESS "$T/holder"
    try hami exec one cudacli alloc 500
    assert_in "500 MiB: CUDA_ERROR_OUT_OF_MEMORY" "$out"
    hami exec one killall -KILL cudacli
    wait_for 10 allocates 800
  done
}

# allocates MIB: the container can have them now.
allocates() {
  try hami exec one cudacli --strict alloc "$1"
  [ "$status" = 0 ]
}
