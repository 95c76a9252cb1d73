# What other toolkits are known to get wrong, and this one must not.

load lib/common
load lib/rootfs
load lib/bundle
load lib/node

HAMICTL=$HAMI_BUILD_DIR/bin/hamictl

setup_file() {
  need_built bin/hamictl
  make_node
  make_glibc_rootfs "$F/rootfs" "$CUDACLI"
}

setup() {
  fresh_test_dir
  use_config "$T/config.toml" "$T/state"
}

teardown() {
  local id
  for id in $(low_level list -q 2>/dev/null); do low_level delete --force "$id" || true; done
}

# configure ENGINE FILE [OPTION...]
configure() { "$HAMICTL" configure --engine "$1" --config "$2" --state-dir "$T/memory" "${@:3}"; }

@test "run gets devices as create does" {
  slice_bundle one 3000 nvidia-smi
  try hami run --bundle "$T/one" one
  assert_status 0
  assert_in "0MiB / 3000MiB" "$out"
}

@test "restore prepares the bundle as create does" {
  printf '#!/bin/sh\nexit 0\n' >"$T/recorder"
  chmod 755 "$T/recorder"
  LOW_LEVEL_PATH=$T/recorder use_config "$T/config.toml" "$T/state"
  slice_bundle one 3000 true
  try hami restore --bundle "$T/one" --image-path "$T" one
  assert_status 0
  assert_in libvgpu.so "$(jq -c .mounts "$T/one/config.json")"
}

@test "a container, a root directory and an argument named create are not the command create" {
  printf '#!/bin/sh\nexit 0\n' >"$T/recorder"
  chmod 755 "$T/recorder"
  LOW_LEVEL_PATH=$T/recorder use_config "$T/config.toml" "$T/state"
  slice_bundle create 3000 true
  cp "$T/create/config.json" "$T/before"
  local line
  for line in "--root create state create" "kill create" "--log create delete create" "exec create create --bundle $T/create"; do
    # shellcheck disable=SC2086
    (cd "$T/create" && try "$HAMI" $line)
    assert_same_file "$T/before" "$T/create/config.json"
  done
}

@test "members of config.json that nobody knows yet are neither refused nor lost" {
  slice_bundle one 3000 true
  edit_bundle "$T/one" '.linux.future = {"a": [1, {"b": null}]} | .process.future = "x" | .future = 7654321'
  sed -i 's/7654321/9007199254740993/' "$T/one/config.json" # jq would round it
  try hami run --bundle "$T/one" one
  assert_status 0
  assert_equal '[{"a":[1,{"b":null}]},"x"]' "$(jq -c '[.linux.future, .process.future]' "$T/one/config.json")"
  assert_in 9007199254740993 "$(<"$T/one/config.json")"
}

@test "config.json is replaced, never rewritten in place: whoever reads it while a create runs sees one of the two" {
  slice_bundle one 3000 true
  exec 9<"$T/one/config.json" # as a reader that opened it before
  try hami run --bundle "$T/one" one
  assert_status 0
  jq -e . <&9 >/dev/null || explain "the old file was changed under its reader"
  exec 9<&-
}

@test "daemon.json: the user's features, big numbers, spelling and order stay, with CDI switched on" {
  printf '{\n  "features": {"buildkit": false, "containerd-snapshotter": true},\n  "big": 9007199254740993,\n  "half": 1.0,\n  "a": 1\n}\n' \
    >"$T/daemon.json"
  configure docker "$T/daemon.json" --cdi
  assert_equal '["features","big","half","a","runtimes"]' "$(jq -c 'keys_unsorted' "$T/daemon.json")"
  assert_equal '{"buildkit":false,"containerd-snapshotter":true,"cdi":true}' "$(jq -c .features "$T/daemon.json")"
  assert_in '"big": 9007199254740993' "$(<"$T/daemon.json")"
  assert_in '"half": 1.0' "$(<"$T/daemon.json")"
}

@test "daemon.json: null and empty are no reason to fall over, and no unknown key is written" {
  echo '{"runtimes":null}' >"$T/null.json"
  configure docker "$T/null.json"
  assert_equal '{"hami":{"path":"/usr/bin/hami-runtime"}}' "$(jq -c .runtimes "$T/null.json")"
  : >"$T/empty.json"
  configure docker "$T/empty.json"
  assert_equal '["runtimes"]' "$(jq -c keys "$T/empty.json")"
  assert_equal '["path"]' "$(jq -c '.runtimes.hami | keys' "$T/empty.json")"
}

@test "config.toml: comments and order stay, and a node without a file gets one whose CRI plugin starts" {
  printf '# mine\nversion = 2 # two\n\n[plugins]\n  # sorted by hand\n  [plugins."io.containerd.grpc.v1.cri"]\n    sandbox_image = "x" # keep\n' \
    >"$T/config2.toml"
  cp "$T/config2.toml" "$T/before"
  configure containerd "$T/config2.toml"
  assert_equal "$(<"$T/before")" "$(head -n 7 "$T/config2.toml")"
  assert_in '.containerd.runtimes.runc]' "$(<"$T/config2.toml")"

  configure containerd "$T/new.toml"
  assert_in '.containerd.runtimes.runc]' "$(<"$T/new.toml")"
  need containerd
  try containerd --config "$T/new.toml" config dump
  assert_status 0
  assert_in 'runtimes.hami]' "$out"
  assert_in "default_runtime_name = 'runc'" "$(tr '"' "'" <<<"$out")" # containerd 2 prints the other quotes
}

@test "undo gives every file back byte for byte, and touches no other" {
  mkdir -p "$T/cdi"
  echo other >"$T/cdi/vendor.json"
  printf '{"debug":true,\t"features":{}}' >"$T/daemon.json"
  printf 'version = 2\r\n# end without a newline' >"$T/config2.toml"
  cp "$T/daemon.json" "$T/daemon.before"
  cp "$T/config2.toml" "$T/config2.before"
  configure docker "$T/daemon.json" --cdi --set-default
  configure containerd "$T/config2.toml" --set-default
  configure docker "$T/daemon.json" --undo
  configure containerd "$T/config2.toml" --undo
  assert_same_file "$T/daemon.before" "$T/daemon.json"
  assert_same_file "$T/config2.before" "$T/config2.toml"
  assert_equal other "$(<"$T/cdi/vendor.json")"
}

@test "configure again without --set-default leaves a default that was set" {
  echo '{}' >"$T/daemon.json"
  configure docker "$T/daemon.json" --set-default
  configure docker "$T/daemon.json"
  assert_equal '"hami"' "$(jq -c '."default-runtime"' "$T/daemon.json")"
  printf 'version = 2\n' >"$T/config2.toml"
  configure containerd "$T/config2.toml" --set-default
  configure containerd "$T/config2.toml"
  assert_in 'default_runtime_name = "hami"' "$(<"$T/config2.toml")"
  local engine
  for engine in crio podman; do
    configure "$engine" "$T/$engine.conf" --set-default
    cp "$T/$engine.conf" "$T/before"
    configure "$engine" "$T/$engine.conf"
    assert_same_file "$T/before" "$T/$engine.conf"
  done
}

@test "no variable of a container brings in a socket of an engine or a directory of the node" {
  slice_bundle one 3000 sh -c 'cat /proc/self/mountinfo'
  edit_bundle "$T/one" '.process.env += ["MOUNT_BY_RUNTIME_FOR_DP=1", "ASCEND_RUNTIME_MOUNTS=/etc", "NVIDIA_MOUNT_DRIVER_STORE=/",
    "ASCEND_RUNTIME_OPTIONS=NODRV"]'
  try hami run --bundle "$T/one" one
  assert_not_in .sock "$(jq -c .mounts "$T/one/config.json")"
  assert_equal "" "$(jq -r '.mounts[] | select(.source == "/etc" or .source == "/") | .source' "$T/one/config.json")"
}

@test "a variable without an equals sign does not stop what asks for nothing" {
  make_bundle "$T/one" "$F/rootfs" true
  edit_bundle "$T/one" '.process.env += ["NOEQUALS"]'
  cp "$T/one/config.json" "$T/before"
  try low_level run --bundle "$T/one" one
  local expected=$status
  try hami run --bundle "$T/one" one
  assert_status "$expected"
  assert_same_file "$T/before" "$T/one/config.json"
}
