# hami-hook alone in plain bundles, without hami-runtime: what it does inside a container, and what a hostile image
# cannot make it do.

load lib/common
load lib/rootfs
load lib/bundle

# A copy where everybody may reach it: a checkout need not be in such a place, an installed program is.
HOOK=$F/hami-hook

setup_file() {
  need runc crun cc
  need_built bin/hami-hook
  make_glibc_rootfs "$F/rootfs" "$(command -v getconf)"
  install -m 0755 "$HAMI_BUILD_DIR/bin/hami-hook" "$HOOK"
  install -m 0755 "$(ls /sbin/ldconfig.real 2>/dev/null || echo /sbin/ldconfig)" "$F/rootfs/usr/local/bin/ldconfig"
  mkdir -p "$F/rootfs/opt/vendor/lib64"
  cc -shared -Wl,-soname,libvendor.so.1 -o "$F/rootfs/opt/vendor/lib64/libvendor.so.1.2" -x c /dev/null
}

setup() {
  fresh_test_dir
  mkdir -p "$T/host"
  echo untouched >"$T/host/secret"
}

PLAN='{"version":2,
  "links":[{"path":"/usr/lib/vendor/libvendor.so","target":"libvendor.so.1"}],
  "ldcacheDirs":["/opt/vendor/lib64"],"libraries":[],
  "procOverrides":[{"path":"/proc/filesystems","match":"nodev\tproc","replace":"nodev\thidden"},
                   {"path":"/proc/no/such/file","match":"a","replace":"b"}]}'

run_bundle() { try "$HAMI_LOW_LEVEL" --root "$T/root" run --bundle "$1" "$(basename "$1")"; }

assert_host_untouched() {
  assert_equal secret "$(ls -A "$T/host")"
  assert_equal untouched "$(<"$T/host/secret")"
}

@test "links, loader cache and proc overrides are there when the container starts" {
  hooked_bundle "$T/one" "$PLAN" sh -c '
    readlink /usr/lib/vendor/libvendor.so; ldconfig -p | grep -o "=> /opt.*"; grep -c hidden /proc/filesystems
    grep -cw proc /proc/filesystems; getconf PAGESIZE'

  run_bundle "$T/one"

  assert_status 0
  assert_equal "libvendor.so.1
=> /opt/vendor/lib64/libvendor.so.1
1
0
$(getconf PAGESIZE)" "$out"
}

@test "the proc override cannot be written or removed by the container" {
  hooked_bundle "$T/one" "$PLAN" sh -c 'echo x >/proc/filesystems || umount /proc/filesystems; grep -c hidden /proc/filesystems'

  run_bundle "$T/one"

  assert_equal 1 "$out"
}

@test "the image's own loader configuration keeps working" {
  hooked_bundle "$T/one" "$PLAN" sh -c 'ldconfig -p | grep -o "=> /.*/lib\(own\|vendor\).so.1"'
  mkdir -p "$T/one/rootfs/opt/own"
  cc -shared -Wl,-soname,libown.so.1 -o "$T/one/rootfs/opt/own/libown.so.1" -x c /dev/null
  echo /opt/own >"$T/one/rootfs/etc/ld.so.conf"

  run_bundle "$T/one"

  assert_in "=> /opt/own/libown.so.1" "$out"
  assert_in "=> /opt/vendor/lib64/libvendor.so.1" "$out"
}

@test "a root that the spec makes read-only gets the same" {
  hooked_bundle "$T/one" "$PLAN" sh -c 'readlink /usr/lib/vendor/libvendor.so; ldconfig -p | grep -o "=> /opt.*"; touch /x || echo read-only'
  edit_bundle "$T/one" '.root.readonly = true'

  run_bundle "$T/one"

  assert_equal "libvendor.so.1
=> /opt/vendor/lib64/libvendor.so.1
read-only" "$out"
}

@test "on a read-only file system the new cache is mounted over the old one" {
  hooked_bundle "$T/one" '{"version":2,"links":[],"ldcacheDirs":["/opt/vendor/lib64"],"libraries":[],"procOverrides":[]}' \
    sh -c 'ldconfig -p | grep -o "=> /opt.*"; grep -c " /etc/ld.so.cache " /proc/mounts'
  ln -s libvendor.so.1.2 "$T/one/rootfs/opt/vendor/lib64/libvendor.so.1"
  : >"$T/one/rootfs/etc/ld.so.cache"
  mkdir "$T/disk"
  mount -t tmpfs tmpfs "$T/disk"
  cp -a "$T/one/rootfs/." "$T/disk"
  mount -o remount,ro "$T/disk"
  edit_bundle "$T/one" --arg root "$T/disk" '.root = {path: $root, readonly: true}'

  run_bundle "$T/one"
  umount "$T/disk"

  assert_status 0
  assert_equal "=> /opt/vendor/lib64/libvendor.so.1
1" "$out"
}

@test "a library that is named is added to the image's cache, before the image's own of that name" {
  hooked_bundle "$T/one" '{"version":2,"links":[{"path":"/opt/vendor/lib64/libvendor.so","target":"libvendor.so.1"}],
    "ldcacheDirs":["/opt/vendor/lib64"],"libraries":["/opt/vendor/lib64/libvendor.so.1.2"],"procOverrides":[]}' \
    sh -c 'ldconfig -p | grep -o "libvendor.*"; LD_TRACE_LOADED_OBJECTS=1 /needs-vendor | grep -o "libvendor.* (" '
  local rootfs=$T/one/rootfs
  mkdir -p "$rootfs/opt/image"
  cc -shared -Wl,-soname,libvendor.so.1 -o "$rootfs/opt/image/libvendor.so.1" -x c /dev/null
  echo 'int main(void) { return 0; }' | cc -Wl,--no-as-needed -o "$rootfs/needs-vendor" -x c - -x none "$rootfs/opt/image/libvendor.so.1"
  echo /opt/image >"$rootfs/etc/ld.so.conf"
  ldconfig -r "$rootfs" -f /etc/ld.so.conf -C /etc/ld.so.cache
  # A cache that was made anew would know this library, one that was added to does not.
  cc -shared -Wl,-soname,libvendor.so.9 -o "$rootfs/opt/image/libvendor.so.9" -x c /dev/null

  run_bundle "$T/one"
  assert_status 0
  assert_equal "libvendor.so.1 (libc6,x86-64) => /opt/vendor/lib64/libvendor.so.1
libvendor.so.1 (libc6,x86-64) => /opt/image/libvendor.so.1
libvendor.so (libc6,x86-64) => /opt/vendor/lib64/libvendor.so
libvendor.so.1 => /opt/vendor/lib64/libvendor.so.1 (" "$out"

  local cache
  cache=$(sha256sum "$rootfs/etc/ld.so.cache")
  run_bundle "$T/one"
  assert_status 0
  assert_equal "$cache" "$(sha256sum "$rootfs/etc/ld.so.cache")"
}

@test "in a user namespace the hook works as the container's root" {
  hooked_bundle "$T/one" "$PLAN" sh -c 'readlink /usr/lib/vendor/libvendor.so; ldconfig -p | grep -o "=> /opt.*"; grep -c hidden /proc/filesystems'
  chown -R 100000:100000 "$T/one/rootfs"
  chmod 755 "$HAMI_TEST_TMP" "$F" "$T" "$T/one"
  edit_bundle "$T/one" '
    .linux.namespaces += [{type: "user"}] |
    .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}] | .linux.gidMappings = .linux.uidMappings |
    .mounts |= map(select(.type != "sysfs" and .type != "cgroup" and .type != "mqueue"))'

  run_bundle "$T/one"

  assert_status 0
  assert_equal "libvendor.so.1
=> /opt/vendor/lib64/libvendor.so.1
1" "$out"
}

@test "links of the image that lead to the host lead nowhere" {
  hooked_bundle "$T/one" '{"version":2,"links":[{"path":"/usr/lib/vendor/libvendor.so","target":"x"}],
    "ldcacheDirs":["/opt/vendor/lib64"],"libraries":[],"procOverrides":[]}' true
  ln -s "$T/host" "$T/one/rootfs/usr/lib/vendor"
  run_bundle "$T/one"
  [ "$status" != 0 ]
  assert_host_untouched

  rm "$T/one/rootfs/usr/lib/vendor"
  ln -sf "$T/host/secret" "$T/one/rootfs/etc/ld.so.cache"
  ln -sfn "$T/host" "$T/one/rootfs/var/cache"
  run_bundle "$T/one"
  assert_status 0
  assert_host_untouched

  rm -rf "$T/one/rootfs/opt/vendor/lib64"
  ln -s "$T/host" "$T/one/rootfs/opt/vendor/lib64"
  run_bundle "$T/one"
  assert_status 0
  assert_host_untouched
}

@test "a loader configuration that never ends stops the start, not the machine" {
  hooked_bundle "$T/one" "$PLAN" true
  mkfifo "$T/one/rootfs/etc/ld.so.conf"
  local start=$SECONDS

  run_bundle "$T/one"

  [ "$status" != 0 ]
  [ $((SECONDS - start)) -lt 25 ]
  assert_in "did not end within 10 seconds" "$(<"$T/one/hook.log")"
}

@test "a loader configuration that includes itself or leads out of the root does no harm" {
  local evil
  hooked_bundle "$T/one" "$PLAN" sh -c 'ldconfig -p | grep -o "=> /opt.*"'
  echo 'include /etc/ld.so.conf' >"$T/one/rootfs/etc/ld.so.conf"
  run_bundle "$T/one"
  assert_equal "=> /opt/vendor/lib64/libvendor.so.1" "$out"

  for evil in /dev/zero /proc/1/root/etc/ld.so.conf "$T/host/secret"; do
    ln -sfn "$evil" "$T/one/rootfs/etc/ld.so.conf"
    run_bundle "$T/one"
    assert_equal "=> /opt/vendor/lib64/libvendor.so.1" "$out"
  done
  assert_host_untouched
}

@test "a loader configuration of many gigabytes costs seconds and no memory" {
  local start=$SECONDS
  hooked_bundle "$T/one" "$PLAN" true
  truncate -s 16G "$T/one/rootfs/etc/ld.so.conf"

  run_bundle "$T/one" # whether the loader's tool gives up on the line, or the time limit on the tool

  [ $((SECONDS - start)) -lt 25 ]
}

@test "the image's ldconfig and preload libraries never run" {
  hooked_bundle "$T/one" "$PLAN" true
  printf '#include <fcntl.h>\n__attribute__((constructor)) void go(void){open("%s/host/pwned",O_CREAT|O_WRONLY,0600);}' "$T" |
    cc -shared -fPIC -o "$T/one/rootfs/evil.so" -x c -
  edit_bundle "$T/one" '.process.env += ["LD_PRELOAD=/proc/self/cwd/evil.so", "LD_LIBRARY_PATH=/proc/self/cwd"] |
    del(.hooks.createContainer[0].env)'
  printf '#!/bin/sh\ntouch %s/host/pwned\n' "$T" | install -m 0755 /dev/stdin "$T/one/rootfs/sbin/ldconfig"
  echo /evil.so >"$T/one/rootfs/etc/ld.so.preload"

  run_bundle "$T/one"

  assert_host_untouched
}

@test "a refusal names its reason, and crun's users find it beside the plan" {
  hooked_bundle "$T/one" "$PLAN" true
  chmod 0666 "$T/one/plan.json"

  run_bundle "$T/one"

  [ "$status" != 0 ]
  assert_in "create-container: open '$T/one/plan.json': writable by group or others" "$(<"$T/one/hook.log")"
  [ "$HAMI_LOW_LEVEL" != runc ] || assert_in "writable by group or others" "$err"
}

@test "the poststop hook ends the lease, and deleting never fails because of it" {
  hooked_bundle "$T/one" "$PLAN" true
  mkdir -p "$T/state/ledger" "$T/state/containers/one-1f"
  chmod 0700 "$T/state" "$T/state/ledger"
  jq -n --arg root "$T/root" --arg bundle "$T/one" '{key: "one-1f", container: "one", engineRoot: $root, bundle: $bundle,
    source: "ledger", bootId: "", creatorPid: 1, creatorStart: 1, createdAt: 1, holdings: []}' >"$T/state/ledger/one-1f.json"
  chmod 0600 "$T/state/ledger/one-1f.json"
  edit_bundle "$T/one" --arg hook "$HOOK" --arg state "$T/state" '
    .hooks.poststop = [{path: $hook, args: ["hami-hook", "release", "--key", "one-1f", "--state-dir", $state],
                        env: ["PATH=/usr/bin"], timeout: 60}]'

  run_bundle "$T/one"
  assert_status 0
  [ ! -e "$T/state/ledger/one-1f.json" ]
  [ ! -e "$T/state/containers/one-1f" ]

  rm -rf "$T/state"
  echo "a file, not a directory" >"$T/state"
  run_bundle "$T/one"
  assert_status 0
}

@test "the stages that run outside do the same: links, loader cache and proc overrides" {
  local stage verb
  for stage in prestart createRuntime; do
    [ "$stage" = prestart ] && verb=prestart || verb=create-runtime
    rm -rf "$T/one"
    hooked_bundle "$T/one" "$PLAN" sh -c '
      readlink /usr/lib/vendor/libvendor.so; ldconfig -p | grep -o "=> /opt.*"; grep -c hidden /proc/filesystems'
    edit_bundle "$T/one" --arg stage "$stage" --arg verb "$verb" \
      '.hooks = {($stage): [.hooks.createContainer[0] | .args[1] = $verb]}'

    run_bundle "$T/one"

    assert_status 0
    assert_equal "libvendor.so.1
=> /opt/vendor/lib64/libvendor.so.1
1" "$out"
    ! grep -q hidden /proc/filesystems || explain "the host's file changed"
  done
}

@test "poststop ends the leases of the container in the state, and of no other" {
  hooked_bundle "$T/one" "$PLAN" true
  mkdir -p "$T/state/ledger"
  chmod 0700 "$T/state" "$T/state/ledger"
  local name
  for name in one two; do
    jq -n --arg name "$name" --arg root "$T/root" --arg bundle "$T/$name" '{key: "\($name)-1f", container: $name,
      engineRoot: $root, bundle: $bundle, source: "ledger", bootId: "", creatorPid: 1, creatorStart: 1, createdAt: 1,
      holdings: []}' >"$T/state/ledger/$name-1f.json"
    chmod 0600 "$T/state/ledger/$name-1f.json"
  done
  edit_bundle "$T/one" --arg hook "$HOOK" --arg state "$T/state" '
    .hooks.poststop = [{path: $hook, args: ["hami-hook", "poststop", "--state-dir", $state],
                        env: ["PATH=/usr/bin"], timeout: 60}]'

  run_bundle "$T/one"

  assert_status 0
  assert_equal two-1f.json "$(ls "$T/state/ledger" | grep json)"
  rm -rf "$T/state"
  echo "a file, not a directory" >"$T/state"
  run_bundle "$T/one"
  assert_status 0
}

@test "what is not a verb is a usage error" {
  try "$HOOK" stop
  assert_status 1
  assert_one_line "$err"
  assert_in "unknown verb 'stop'" "$err"
}

@test "release takes the whole state, so that a runtime that writes it does not die of SIGPIPE" {
  local pipe
  pipe=$({ sleep 0.2; head -c 300000 /dev/zero; } | "$HOOK" release --key none-0 \
    --state-dir "$T/state" 2>/dev/null; echo "${PIPESTATUS[*]}")

  assert_equal "0 0" "$pipe"
}
