# A simulated node: driver root, devices, recipes and a config.toml that points the product at them.

HAMI=$HAMI_BUILD_DIR/bin/hami-runtime
CUDACLI=$HAMI_BUILD_DIR/bin/cudacli # what the containers run
NODE=$F/node
CARD_MIB=8192

# Two cards. Every byte is accounted for at once, and a card is there only for who may open its node.
node_topology() {
  printf '%s\n' 'exact = 1' 'check_nodes = 1' "context_mib = 64"
  printf '[gpu]\nmemory_mib = %s\n' "$CARD_MIB" "$CARD_MIB"
}

# make_node: builds the node of this test file.
make_node() {
  need_built bin/hami-runtime bin/hami-hook bin/hami-probe lib/libvgpu.so bin/cudacli
  mkdir -p "$NODE/recipes"
  node_topology >"$NODE/topology"
  "$HAMI_SOURCE_DIR/tests/fakeroot/mkfakeroot" --build "$HAMI_BUILD_DIR" --config "$NODE/topology" "$NODE/driver"
  # Copies: the runtime trusts only what root alone can change, which a checkout need not be.
  install -m 0644 "$HAMI_SOURCE_DIR"/vendors/*.yaml "$HAMI_SOURCE_DIR/tests/fakeroot/simulated-nvidia.yaml" \
    "$NODE/recipes/"
}

# use_config FILE STATE_DIR [TOML...]: writes FILE and makes it the configuration of every hami program started from here.
use_config() {
  local file=$1
  STATE=$2
  shift 2
  cat >"$file" <<TOML
[runtime]
low_level = ["${LOW_LEVEL_PATH-$(command -v "$HAMI_LOW_LEVEL")}"]
[roots]
state = "$STATE"
driver = "$NODE/driver"
dev = "$NODE/driver"
proc = "$NODE/driver/proc"
sys = "$NODE/driver/sys"
[paths]
hook = "${HOOK-$HAMI_BUILD_DIR/bin/hami-hook}"
probe = "$HAMI_BUILD_DIR/bin/hami-probe"
libvgpu = "${LIBVGPU-$HAMI_BUILD_DIR/lib/libvgpu.so}"
[recipes]
dirs = ["$NODE/recipes"]
TOML
  printf '%s\n' "$@" >>"$file"
  export HAMI_CONFIG_FILE=$file
}

hami() { "$HAMI" --root "$T/root" "$@"; }
low_level() { "$(command -v "$HAMI_LOW_LEVEL")" --root "$T/root" "$@"; }

# The ledger's files, one a line; nothing when there is no ledger yet.
leases() { find "$STATE/ledger" -name '*.json' 2>/dev/null; }
assert_leases() { assert_equal "$1" "$(leases | grep -c . || true)"; }

# Nothing of any container is left on the host: lease, directory, low-level state.
assert_nothing_left() {
  assert_leases 0
  assert_equal "" "$(ls "$STATE/containers" 2>/dev/null)"
  assert_equal "" "$(ls "$T/root" 2>/dev/null)"
}

# start_container NAME: creates and starts the bundle $T/NAME in the background; output in $T/NAME/output.
start_container() {
  hami create --bundle "$T/$1" "$1" </dev/null >"$T/$1/output" 2>&1 || {
    cat "$T/$1/output" >&2
    return 1
  }
  hami start "$1"
}

# end_container NAME
end_container() { hami delete --force "$1"; }

# slice_bundle NAME MEMORY_MIB COMMAND...: a bundle that asks for a part of one card.
slice_bundle() {
  make_bundle "$T/$1" "$F/rootfs" "${@:3}"
  annotate "$T/$1" nvidia.com/gpu=1 nvidia.com/gpumem="$2"
}

# assert_refused BUNDLE: the last `try` was `hami --log $T/log --log-format json create|run` of it, and it was refused
# the way engines need it: status 1, one line on stderr and the same in the log, the bundle as before, nothing kept.
# $T/config.before is the bundle's config.json from before.
assert_refused() {
  assert_status 1
  assert_equal "" "$out"
  assert_one_line "$err"
  assert_in "hami-runtime: " "$err"
  assert_no_engine_phrase "$err"
  assert_equal 1 "$(wc -l <"$T/log")"
  assert_equal "$err" "$(jq -r 'select(.level == "error") | .msg' "$T/log")"
  jq -e '.time | fromdateiso8601' "$T/log" >/dev/null || explain "time is not RFC 3339: $(cat "$T/log")"
  assert_same_file "$T/config.before" "$1/config.json"
  assert_equal config.json "$(ls "$1" | grep config)"
  assert_nothing_left
}

# Engines search error texts for these and change the exit status of the user's command.
assert_no_engine_phrase() {
  local phrase
  for phrase in 'permission denied' 'operation not permitted' 'no such file or directory' 'not a directory' \
    'executable file not found' 'container not running' 'no such process' 'does not exist' 'open executable'; do
    assert_not_in "$phrase" "${1,,}"
  done
}

# refuse BUNDLE: creates it and expects a refusal.
refuse() {
  cp "$1/config.json" "$T/config.before"
  rm -f "$T/log"
  try hami --log "$T/log" --log-format json create --bundle "$1" refused
  assert_refused "$1"
}

# device_numbers NODE: "MAJOR MINOR" of a device node, in decimal.
device_numbers() {
  printf '%d %d\n' "0x$(stat -c %t "$1")" "0x$(stat -c %T "$1")"
}

# driver_answers: of the last `try` of cudacli, "SIZE MiB: RESULT" of every allocation, one a line.
driver_answers() {
  grep -o '[0-9]* MiB: CUDA_[A-Z_]*' <<<"$out"
}
