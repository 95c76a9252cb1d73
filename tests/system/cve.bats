# Classes of container escapes, by the number of one that was published: hostile images and processes against a
# container with a slice. Where our own work would have been the way, the container has to start and to show that the work
# was done: a defence that were gone would be seen.

load lib/common
load lib/rootfs
load lib/bundle
load lib/node

setup_file() {
  need cc file
  make_node
  make_glibc_rootfs "$F/rootfs" "$CUDACLI"
  printf '#include <fcntl.h>\n__attribute__((constructor)) void go(void) { open("%s/test/host/pwned", O_CREAT | O_WRONLY, 0600); }\n' \
    "$F" | cc -shared -fPIC -o "$F/evil.so" -x c -
}

setup() {
  fresh_test_dir
  use_config "$T/config.toml" "$T/state"
  mkdir "$T/host"
  echo untouched >"$T/host/secret"
}

teardown() {
  local id
  for id in $(low_level list -q 2>/dev/null); do low_level delete --force "$id" || true; done
}

assert_host_untouched() {
  assert_equal secret "$(ls -A "$T/host")"
  assert_equal untouched "$(<"$T/host/secret")"
}

# What the container can read of the host's directory, wherever it may have come to lie.
READ_HOST='find / -xdev -name secret 2>/dev/null; grep -rl untouched /usr/lib /usr/local /etc /opt 2>/dev/null; true'

run_hostile() { try hami run --bundle "$T/$1" "$1"; }

# "MAJOR:MINOR" of the node's cards.
card_numbers() {
  local node
  for node in "$NODE"/driver/dev/nvidia[0-9]; do device_numbers "$node" | tr ' ' ':'; done | tr '\n' ' '
}

checksums() { sha256sum "$HAMI_BUILD_DIR"/bin/hami-* "$HAMI_BUILD_DIR/lib/libvgpu.so" "$(command -v "$HAMI_LOW_LEVEL")"; }

@test "CVE-2024-0132: links of the image bring nothing of the host into the container" {
  slice_bundle one 3000 sh -c "cat /etc/ld.so.preload; $READ_HOST; echo mounted; cut -d' ' -f4 /proc/self/mountinfo"
  local root=$T/one/rootfs
  mkdir -p "$root/usr/local/cuda"
  ln -s "$T/host" "$root/usr/local/cuda/compat"
  mkdir -p "$root/usr/local/cuda-12/compat"
  ln -s "$T/host/secret" "$root/usr/local/cuda-12/compat/libcuda.so.999.1"
  ln -s ../../../../../../../../../../../../.. "$root/usr/local/cuda-12/compat/libnvidia-ml.so.999.1"
  # The one file of an image whose content we take over.
  ln -s "$T/host/secret" "$root/etc/ld.so.preload"

  run_hostile one

  assert_status 0
  assert_in /usr/local/vgpu/libvgpu.so "${out%%$'\n'*}"
  assert_not_in untouched "$out"
  assert_not_in test/host "${out##*mounted}"
  assert_host_untouched
  assert_equal "[]" "$(jq -c --arg root "$T/one/" '[.mounts[].source | strings | select(startswith($root))]' "$T/one/config.json")"
}

@test "CVE-2024-0133, CVE-2024-0134, CVE-2024-45310: targets that are links make no file on the host" {
  local path
  for path in etc/ld.so.preload usr/local/vgpu usr/bin/nvidia-smi usr/lib/x86_64-linux-gnu/libcuda.so.1 etc/ld.so.cache \
    var/cache/ldconfig; do
    rm -rf "$T/one"
    slice_bundle one 3000 true
    mkdir -p "$(dirname "$T/one/rootfs/$path")"
    rm -rf "${T:?}/one/rootfs/$path"
    ln -s "$T/host/new" "$T/one/rootfs/$path"
    run_hostile one
    assert_host_untouched
    hami delete --force one
  done
}

@test "CVE-2024-0133: links and the loader's cache are made inside an image whose directories lead to the host" {
  local look='readlink /usr/lib/x86_64-linux-gnu/libcuda.so.1; [ ! -L /etc/ld.so.cache ] && grep -c libcuda /etc/ld.so.cache'
  slice_bundle one 3000 sh -c "$look"
  local root=$T/one/rootfs
  rm -rf "$root/usr/lib/x86_64-linux-gnu" "$root/etc/ld.so.cache"
  ln -s "$T/host" "$root/usr/lib/x86_64-linux-gnu"
  mkdir -p "$root$T/host"
  ln -s "$T/host/secret" "$root/etc/ld.so.cache"

  run_hostile one

  assert_status 0
  assert_in libcuda.so. "$out"
  assert_equal 1 "$(tail -n 1 <<<"$out")"
  assert_host_untouched
}

@test "CVE-2025-23359: a path that is swapped for a link during the start reaches nothing of the host" {
  slice_bundle one 3000 true
  local library=$T/one/rootfs/usr/lib/x86_64-linux-gnu swapper i
  mkdir -p "$library" "$T/link"
  ln -s "$T/host" "$T/link/x"
  (while :; do
    mv "$library" "$library.real" && mv "$T/link/x" "$library" || true
    mv "$library" "$T/link/x" && mv "$library.real" "$library" || true
  done) >/dev/null 2>&1 3>&- &
  swapper=$!
  for i in 1 2 3 4 5 6 7 8; do
    run_hostile one
    hami delete --force one
  done
  kill "$swapper"
  wait "$swapper" || true

  assert_equal "" "$(ls -A "$T/host" | grep -v '^secret$' || true)"
  assert_equal untouched "$(<"$T/host/secret")"
}

@test "CVE-2025-23266: LD_PRELOAD of the image runs in no program of the host" {
  slice_bundle one 3000 true
  cp "$F/evil.so" "$T/one/rootfs/evil.so"
  edit_bundle "$T/one" '.process.env += ["LD_PRELOAD=/proc/self/cwd/evil.so", "LD_LIBRARY_PATH=/proc/self/cwd",
    "LD_AUDIT=/proc/self/cwd/evil.so", "GLIBC_TUNABLES=glibc.malloc.check=3"]'

  run_hostile one

  assert_host_untouched
  assert_equal "[]" "$(jq -c '[.hooks[][] | select((.env // []) == [])]' "$T/one/config.json")"
  assert_in "$HAMI_BUILD_DIR/bin/hami-hook" "$(jq -r '.hooks[][].path' "$T/one/config.json")"
  local program
  for program in hami-runtime hami-hook; do
    assert_not_in "interpreter" "$(file "$HAMI_BUILD_DIR/bin/$program")"
  done
}

@test "CVE-2025-23267: loader configuration that leads out of the image brings none of the host's libraries into the cache" {
  slice_bundle one 3000 sh -c 'cat /etc/ld.so.cache'
  local root=$T/one/rootfs
  mkdir "$T/host.libraries"
  cp "$F/evil.so" "$T/host.libraries/libofthehost.so.1"
  echo "$T/host.libraries" >"$T/host.conf"
  mkdir "$T/host.conf.d"
  cp "$T/host.conf" "$T/host.conf.d/x.conf"
  ln -sfn "$T/host.conf.d" "$root/etc/ld.so.conf.d"
  ln -sf "$T/host.conf" "$root/etc/ld.so.conf"
  ln -sf "$T/host/secret" "$root/etc/ld.so.cache"
  ln -sfn "$T/host" "$root/var/cache"
  # In the image the same paths are its own business.
  mkdir -p "$root/opt/own" "$root$T"
  cp "$F/evil.so" "$root/opt/own/libofimage.so.1"
  echo /opt/own >"$root$T/host.conf"

  run_hostile one

  assert_status 0
  local names
  names=$(tr -c 'a-zA-Z0-9._/-' '\n' <"$T/.out")
  assert_in libcuda.so.1 "$names"
  assert_in /opt/own/libofimage.so.1 "$names"
  assert_not_in libofthehost "$names"
  # Nor what the host's own configuration names.
  local library
  library=$(ldconfig -p | awk '/=>/ { print $1 }' | while read -r name; do
    [ -n "$(find "$root" -name "$name" -print -quit)" ] || { echo "$name"; break; }
  done)
  [ -n "$library" ]
  assert_equal "" "$(grep -Fx "$library" <<<"$names" || true)"
  assert_host_untouched
}

@test "CVE-2019-5736: a container that overwrites every program it can name changes none of ours" {
  local before i
  before=$(checksums)
  slice_bundle one 3000 sh -c 'while :; do for f in /proc/[0-9]*/exe; do cat /bin/busybox >"$f"; done; done 2>/dev/null'
  # With the host's processes in sight: the hooks and probes of later containers too.
  edit_bundle "$T/one" '.linux.namespaces |= map(select(.type != "pid")) | .process.capabilities[] += ["CAP_DAC_OVERRIDE"]'
  start_container one
  for i in 1 2 3 4 5; do
    rm -rf "$T/two"
    slice_bundle two 1000 true
    try hami run --bundle "$T/two" two
    try hami exec one true
  done
  try hami exec one sh -c 'cat /bin/busybox >/usr/local/vgpu/libvgpu.so'
  [ "$status" != 0 ] || explain "the preload library can be written"
  hami delete --force one

  assert_equal "$before" "$(checksums)"
}

@test "CVE-2024-21626: the low-level runtime gets no descriptor of ours" {
  printf '#!/bin/sh\nexec ls -l /proc/self/fd\n' >"$T/recorder"
  chmod 755 "$T/recorder"
  LOW_LEVEL_PATH=$T/recorder use_config "$T/config.toml" "$T/state"
  slice_bundle one 3000 true

  try hami create --bundle "$T/one" one 3>&-

  assert_status 0
  assert_in "/test/" "$out" # of the standard streams
  assert_not_in "$T/state" "$out"
  assert_not_in ledger "$out"
  assert_not_in config.json "$out"
  assert_not_in cgroup "$out"
  assert_not_in "$NODE" "$out"
}

# A line of a file of /proc that every kernel has, hidden the way the driver's is.
HIDE='{"version": 2, "links": [], "ldcacheDirs": [],"libraries":[],
  "procOverrides": [{"path": "/proc/filesystems", "match": "nodev\tproc", "replace": "nodev\thidden"}]}'

# hiding_bundle COMMAND...: $T/one with the hook alone, which does the hiding.
hiding_bundle() {
  HOOK=$HAMI_BUILD_DIR/bin/hami-hook hooked_bundle "$T/one" "$HIDE" "$@"
}

run_plain() { try "$HAMI_LOW_LEVEL" --root "$T/root" run --bundle "$T/one" one; }

@test "CVE-2025-31133: what hides a line of /proc is a file of ours, wherever the image's /dev/null leads" {
  # Into a file: where /dev/null is a file, runc takes every other file among the standard streams for /dev/null.
  hiding_bundle sh -c 'exec >/result; cat /proc/filesystems; grep " /proc/filesystems " /proc/self/mountinfo
    echo x >>/proc/filesystems || echo read-only'
  # The container's /dev is the image's: no tmpfs covers the link.
  edit_bundle "$T/one" '.mounts |= map(select(.destination | startswith("/dev") | not))'
  rm -rf "$T/one/rootfs/dev"
  mkdir -p "$T/one/rootfs/dev"
  ln -s /of-the-image "$T/one/rootfs/dev/null"
  echo "of the image" >"$T/one/rootfs/of-the-image"

  run_plain

  # Low-level runtimes with the correction look at /dev/null, and start nothing here.
  if [ ! -s "$T/one/rootfs/result" ]; then
    assert_in /dev/null "$err"
    return 0
  fi
  local result
  result=$(<"$T/one/rootfs/result")
  assert_in $'nodev\thidden\n' "$result"
  assert_not_in $'nodev\tproc\n' "$result"
  assert_in " - tmpfs " "$result"
  assert_in read-only "$result"
}

@test "CVE-2025-31133, CVE-2026-41579: a /dev of the image with links for null and for cards reaches nothing of the host" {
  slice_bundle one 3000 sh -c 'cat /dev/null; true'
  rm -rf "$T/one/rootfs/dev"
  mkdir -p "$T/one/rootfs/dev"
  ln -s "$T/host/secret" "$T/one/rootfs/dev/null"
  ln -s "$T/host/new" "$T/one/rootfs/dev/nvidia0"
  ln -s "$T/host/new" "$T/one/rootfs/dev/nvidiactl"
  edit_bundle "$T/one" '.mounts |= map(select(.destination | startswith("/dev") | not))'
  run_hostile one
  assert_not_in untouched "$out"
  assert_host_untouched

  # With /dev itself a link, and nothing mounted there, crun 1.8 makes every node of the spec behind it.
  [ "$HAMI_LOW_LEVEL" = runc ] || return 0
  rm -rf "$T/one/rootfs/dev"
  ln -s "$T/host" "$T/one/rootfs/dev"
  hami delete --force one
  run_hostile one
  assert_equal untouched "$(<"$T/host/secret")"
  assert_not_in nvidia "$(ls -A "$T/host")"
  assert_not_in hami "$(ls -A "$T/host")"
}

@test "CVE-2025-52565: nothing is mounted below /dev, so no link there is followed" {
  slice_bundle one 3000 true
  jq -c .mounts "$T/one/config.json" >"$T/before"

  run_hostile one

  assert_status 0
  assert_equal "[]" "$(jq -c --slurpfile before "$T/before" \
    '[(.mounts - $before[0])[] | select(.destination | startswith("/dev"))]' "$T/one/config.json")"
}

# A bundle without a procfs: what lies in /proc is the image's.
false_proc_bundle() {
  rm -rf "$T/one"
  hiding_bundle echo started
  edit_bundle "$T/one" '.mounts |= map(select(.type != "proc")) | .linux.maskedPaths = [] | .linux.readonlyPaths = []'
  rm -rf "$T/one/rootfs/proc"
  mkdir "$T/one/rootfs/proc"
}

# The hook must have refused, for this reason: a runtime may stumble over such an image too.
assert_hook_refused() {
  [ "$status" != 0 ] || explain "the container started"
  assert_not_in started "$out"
  assert_in "override '/proc/filesystems': $1" "$(<"$T/one/hook.log")"
  assert_host_untouched
  low_level delete --force one || true
}

@test "CVE-2025-52881, CVE-2019-19921: nothing is mounted on a file of a /proc that is not the kernel's" {
  false_proc_bundle
  printf 'nodev\tproc\n' >"$T/one/rootfs/proc/filesystems"
  run_plain
  assert_hook_refused "it is not a file of procfs"

  false_proc_bundle
  printf 'nodev\tproc\n' >"$T/one/rootfs/elsewhere"
  ln -s /elsewhere "$T/one/rootfs/proc/filesystems"
  run_plain
  assert_hook_refused "a component of the path is a link"

  printf 'nodev\tproc\n' >"$T/host/secret"
  false_proc_bundle
  rmdir "$T/one/rootfs/proc"
  ln -s "$T/host" "$T/one/rootfs/proc"
  mv "$T/host/secret" "$T/host/filesystems"
  run_plain
  [ "$status" != 0 ] || assert_in started "$out"
  assert_equal $'nodev\tproc' "$(<"$T/host/filesystems")"
  assert_equal filesystems "$(ls -A "$T/host")"
}

@test "CVE-2022-29162: our edits give the process no capability" {
  slice_bundle one 3000 true
  jq -cS .process.capabilities "$T/one/config.json" >"$T/before"

  run_hostile one

  assert_status 0
  jq -cS .process.capabilities "$T/one/config.json" >"$T/after"
  assert_same_file "$T/before" "$T/after"
}

@test "CVE-2024-0136: what a variable names is a device of the inventory, or it is refused; no path" {
  local value
  for value in /dev/sda ../../dev/mem 0,/dev/mem nvidia0 /dev/nvidia0 '0;1' '0 1' -1 "$T/host/secret"; do
    rm -rf "$T/one"
    make_bundle "$T/one" "$F/rootfs" echo started
    edit_bundle "$T/one" --arg value "$value" '.process.env += ["NVIDIA_VISIBLE_DEVICES=" + $value]'
    cp "$T/one/config.json" "$T/config.before"
    run_hostile one
    assert_status 1
    assert_equal "" "$out"
    assert_in "hami-runtime: " "$err"
    assert_same_file "$T/config.before" "$T/one/config.json"
  done
}

@test "CVE-2021-1056: a card that was not granted stays closed, by whatever name the container gives it" {
  slice_bundle one 3000 sh -c 'ls /dev | grep "^nvidia[0-9]"
    for card in '"$(card_numbers)"'; do mknod "/card-$card" c "${card%:*}" "${card#*:}"; cat "/card-$card"; done'
  edit_bundle "$T/one" '.process.capabilities[] += ["CAP_MKNOD"]'

  run_hostile one

  assert_equal 1 "$(wc -l <<<"$out")"
  assert_equal 1 "$(grep -c "No such device or address" <<<"$err")" # the granted one: nobody serves its number here
  assert_equal 1 "$(grep -c "Operation not permitted" <<<"$err")"
}
