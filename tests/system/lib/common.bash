# What every system test shares. A test file starts with `load lib/common` and the topics it needs.
#
# By hand, as root, one file or one test:
#   tests/system/run tests/system/create.bats
#   tests/system/run tests/system/docker.bats -- --filter refusal
#   HAMI_LOW_LEVEL=crun tests/system/run tests/system/create.bats
#   HAMI_BUILD_DIR=$PWD/build/release tests/system/run tests/system/ledger.bats
#
# The runner sets HAMI_TEST_TMP (a tmpfs of this run) and HAMI_TEST_NAME (unique; the prefix of our cgroups).
# Missing tools and missing build products fail the tests; only what the kernel cannot do is skipped, with its reason.

[ -n "${HAMI_TEST_TMP-}" ] || {
  echo "start system tests through tests/system/run" >&2
  exit 1
}

HAMI_LOW_LEVEL=${HAMI_LOW_LEVEL:-runc} # the low-level runtime under test
HAMI_SOURCE_DIR=${HAMI_SOURCE_DIR:-$(cd "$BATS_TEST_DIRNAME/../.." && pwd -P)}
HAMI_BUILD_DIR=${HAMI_BUILD_DIR:-$HAMI_SOURCE_DIR/build/dev}
F=$HAMI_TEST_TMP/$(basename "$BATS_TEST_FILENAME" .bats) # of this file
T=$F/test                                                 # of this test, empty at its start
mkdir -p "$F"

# need TOOL...: programs that must be installed.
need() {
  local tool
  for tool in "$@"; do
    command -v "$tool" >/dev/null || {
      echo "$tool is not installed" >&2
      return 1
    }
  done
}

# need_built PATH...: products of the build, relative to the build directory.
need_built() {
  local path
  for path in "$@"; do
    [ -e "$HAMI_BUILD_DIR/$path" ] || {
      echo "$HAMI_BUILD_DIR/$path is missing; build first" >&2
      return 1
    }
  done
}

fresh_test_dir() {
  rm -rf "$T"
  mkdir -p "$T"
}

# try COMMAND...: runs it; leaves $status, $out and $err (streams apart, unlike bats' run). Never fails itself.
try() {
  status=0
  "$@" >"$T/.out" 2>"$T/.err" || status=$?
  out=$(<"$T/.out")
  err=$(<"$T/.err")
}

# try_input TEXT COMMAND...: as try, with TEXT on standard input.
try_input() {
  status=0
  "${@:2}" <<<"$1" >"$T/.out" 2>"$T/.err" || status=$?
  out=$(<"$T/.out")
  err=$(<"$T/.err")
}

# Shows the last `try` when an assertion after it fails.
explain() {
  printf '%s\n' "$1" "status: ${status-}" "out: ${out:0:2000}" "err: ${err:0:2000}" >&2
  return 1
}

assert_status() { [ "$status" = "$1" ] || explain "expected exit status $1"; }
assert_in() { [[ $2 == *"$1"* ]] || explain "expected '$1' in '$2'"; }
assert_not_in() { [[ $2 != *"$1"* ]] || explain "did not expect '$1' in '$2'"; }
assert_equal() { [ "$1" = "$2" ] || explain "expected '$1', got '$2'"; }
assert_same_file() { cmp "$1" "$2" || explain "$1 and $2 differ"; }
assert_one_line() { [ "$(wc -l <<<"$1")" = 1 ] && [ -n "$1" ] || explain "expected one line, got '$1'"; }

# wait_for SECONDS COMMAND...: until the command succeeds.
wait_for() {
  local deadline=$((SECONDS + $1))
  until "${@:2}" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$deadline" ] || {
      echo "still failing after $1 s: ${*:2}" >&2
      return 1
    }
    sleep 0.05
  done
}

process_ended() { [ ! -e "/proc/$1" ] || grep -q '^State:.*Z' "/proc/$1/status"; }

# background LOG COMMAND...: starts a daemon of this test file; its pid is in $!. The end of the run's PID namespace ends
# it. bats waits for everybody who holds its descriptors, so the daemon gets none of them.
background() {
  (
    local fd
    for fd in /proc/self/fd/*; do
      fd=${fd##*/}
      [ "$fd" -le 2 ] || [ "$fd" -ge 255 ] || eval "exec $fd>&-"
    done
    exec "${@:2}"
  ) >"$1" 2>&1 </dev/null &
  disown
}
