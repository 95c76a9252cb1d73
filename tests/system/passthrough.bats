# Everything that is not a create with a request reaches the low-level runtime as it came. There is no driver on this node.

load lib/common
load lib/rootfs
load lib/bundle
load lib/node
load lib/direct

setup_file() {
  need strace
  need_built bin/hami-runtime
  make_busybox_rootfs "$F/rootfs"
}

# use_recorder: a low-level runtime that writes its words, directory, and stdin to $T/call, and ends with status 23.
use_recorder() {
  cat >"$T/recorder" <<SH
#!/bin/bash
{ printf '<%s>' "\$@"; printf '\n'; pwd; env | grep '^HAMI_TEST_VAR='; cat; } >"$T/call"
echo to-stdout
echo to-stderr >&2
exit 23
SH
  chmod +x "$T/recorder"
  LOW_LEVEL_PATH=$T/recorder use_config "$T/config.toml" "$T/state"
}

# plain_container NAME: a running container without a request.
plain_container() {
  make_bundle "$T/$1" "$F/rootfs" sleep 100000
  start_container "$1"
}

# same_as_low_level WORD...: status and both streams are those of the low-level runtime alone.
same_as_low_level() {
  try low_level "$@"
  local expected="$status|$out|$err"
  try hami "$@"
  # The names by which programs speak of themselves, and times.
  assert_equal "$(without_noise "$expected")" "$(without_noise "$status|$out|$err")"
}

without_noise() {
  sed -E 's/time="[^"]*"//; s/^[0-9T:.Z-]+: //; s/"created": ?"[^"]*"//' <<<"$1"
}

@test "the words of a command arrive unchanged" {
  use_recorder
  cd "$T"
  local words
  while read -ra words; do
    try_input "on stdin" env HAMI_TEST_VAR=kept "$HAMI" "${words[@]}"
    assert_status 23
    assert_equal to-stdout "$out"
    assert_equal to-stderr "$err"
    assert_equal "$(printf '<%s>' "${words[@]}")
$T
HAMI_TEST_VAR=kept
on stdin" "$(cat "$T/call")"
  done <<'WORDS'
state x
--root /r --log /l --log-format json start x
--root=/r state create
--root create state x
--log-level debug --cgroup-manager disabled kill x 15
-root /r state x
kill --all x 9
delete --force x
exec --process /p --detach --pid-file /f create
ps --format json x
update --resources - x
list -q
events --stats x
pause x
checkpoint --image-path /i x
spec
features
help
-h
--nonsense
nonsense create
-- state create
create
create --bundle /nowhere x
run --bundle
create --bundle /nowhere --help
WORDS
}

@test "words with blanks, newlines and empty words arrive unchanged" {
  use_recorder
  cd "$T"
  try "$HAMI" exec x sh -c $'echo "a b"\n$x' '' '*' </dev/null
  assert_status 23
  assert_equal "<exec><x><sh><-c><echo \"a b\"
\$x><><*>" "$(sed '/^\//,$d' "$T/call")"
}

@test "state, ps, list, kill, pause, resume, exec and delete answer as the low-level runtime does" {
  plain_container one
  same_as_low_level state one
  same_as_low_level ps --format json one
  same_as_low_level list -q
  same_as_low_level list --format json
  same_as_low_level state missing
  same_as_low_level kill missing 9
  same_as_low_level delete missing
  same_as_low_level delete --force missing
  same_as_low_level exec one sh -c 'echo out; echo err >&2; exit 9'
  same_as_low_level exec one /missing/program
  same_as_low_level --nonsense
  same_as_low_level nonsense
  same_as_low_level help

  try hami pause one
  assert_status 0
  assert_equal paused "$(low_level state one | jq -r .status)"
  try hami resume one
  assert_status 0

  try hami kill one 9
  assert_status 0
  wait_for 10 container_stopped one
  try hami delete one
  assert_status 0
  assert_equal "" "$(low_level list -q)"
}

container_stopped() { [ "$(low_level state "$1" | jq -r .status)" = stopped ]; }

@test "--version is the low-level runtime's, with a line of ours at the end" {
  try low_level --version
  local expected=$out
  try hami --version
  assert_status 0
  assert_equal "$expected" "$(head -n -1 "$T/.out")"
  [[ $(tail -n 1 "$T/.out") =~ ^hami-runtime:\ [0-9]+\.[0-9]+ ]] || explain "last line"
}

@test "features is the low-level runtime's" {
  same_as_low_level features
}

@test "a container without a request: status and streams are its own, config.json keeps every byte" {
  make_bundle "$T/one" "$F/rootfs" sh -c 'cat; echo err >&2; exit 42'
  cp -a "$T/one/config.json" "$T/before"
  local inode
  inode=$(stat -c '%i %y %z' "$T/one/config.json")

  try_input "over stdin" "$HAMI" --root "$T/root" run --bundle "$T/one" one

  assert_status 42
  assert_equal "over stdin" "$out"
  assert_equal err "$err"
  assert_same_file "$T/before" "$T/one/config.json"
  assert_equal "$inode" "$(stat -c '%i %y %z' "$T/one/config.json")"
  assert_equal "" "$(ls "$STATE" 2>/dev/null)"
}

@test "a bundle without a request that only the low-level runtime understands is not judged by us" {
  make_bundle "$T/one" "$F/rootfs" true
  # Runtimes disagree about these; with nothing to decide we have no opinion.
  sed -i '1s/{/{"futureMember": {"x": [1e8, 1.10, -0]},/' "$T/one/config.json"
  cp "$T/one/config.json" "$T/before"
  try hami run --bundle "$T/one" one
  assert_status 0
  assert_same_file "$T/before" "$T/one/config.json"
}

# opened_by_us COMMAND...: the files that the wrapper opens before it becomes the low-level runtime, but for those in
# $allowed, one a line.
opened_by_us() {
  local executed
  # Not its children: the low-level runtime's live on.
  strace -qq -e trace=%file,clone,clone3,fork,vfork -o "$T/trace" "$@" >/dev/null 2>&1 </dev/null || true
  executed=$(grep -nE "execve\(\"[^\"]*/$HAMI_LOW_LEVEL\".* = 0$" "$T/trace" | head -1 | cut -d: -f1)
  [ -n "$executed" ] || explain "the low-level runtime was not executed: $(cat "$T/trace")"
  ! head -n "$executed" "$T/trace" | grep -E '^(clone|clone3|fork|vfork)\(' || explain "the wrapper forked"
  head -n "$executed" "$T/trace" | grep -E '^(open|openat|openat2|creat)\(' | grep -v ' = -1 ' | grep -o '"[^"]*"' |
    tr -d '"' | sort -u | grep -vxF "$allowed" || true
}

@test "state, start, kill and delete open nothing but the configuration" {
  plain_container one
  local words allowed=$HAMI_CONFIG_FILE
  while read -ra words; do
    assert_equal "" "$(opened_by_us "$HAMI" --root "$T/root" "${words[@]}")"
  done <<'WORDS'
state one
ps one
kill one 0
list
start one
delete one
WORDS
}

@test "create without a request opens config.json besides, and nothing of the driver or the ledger" {
  make_bundle "$T/one" "$F/rootfs" true
  local allowed="$HAMI_CONFIG_FILE
$T/one/config.json"
  assert_equal "" "$(opened_by_us "$HAMI" --root "$T/root" create --bundle "$T/one" one)"
}

@test "the wrapper is gone after execve: the caller's pid is the low-level runtime's" {
  cat >"$T/recorder" <<SH
#!/bin/sh
echo \$\$ >"$T/pid"
SH
  chmod +x "$T/recorder"
  LOW_LEVEL_PATH=$T/recorder use_config "$T/config.toml" "$T/state"

  "$HAMI" state one 3>&- &
  local pid=$!
  wait "$pid"

  assert_equal "$pid" "$(cat "$T/pid")"
}

@test "descriptors of the caller reach the container" {
  make_bundle "$T/one" "$F/rootfs" sh -c 'cat <&3'
  echo preserved >"$T/fd"
  try hami run --preserve-fds 1 --bundle "$T/one" one 3<"$T/fd"
  assert_equal preserved "$out"
}

@test "without PATH in the environment the low-level runtime is found" {
  sed -i '/^low_level/d' "$T/config.toml"
  try env -i HAMI_CONFIG_FILE="$T/config.toml" "$HAMI" --version
  assert_status 0
}

@test "a low-level runtime that is hami-runtime itself is refused, not executed for ever" {
  LOW_LEVEL_PATH=$HAMI use_config "$T/config.toml" "$T/state"
  try timeout 10 "$HAMI" state one
  assert_status 1
  assert_one_line "$err"

  ln -s "$HAMI" "$T/runc"
  LOW_LEVEL_PATH=$T/runc use_config "$T/config.toml" "$T/state"
  try timeout 10 "$HAMI" state one
  assert_status 1
}
