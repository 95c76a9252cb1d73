# docker run --runtime=hami on a real dockerd: what its users see.

load lib/common
load lib/rootfs
load lib/bundle
load lib/node
load lib/docker

setup_file() {
  make_node
  make_glibc_rootfs "$F/rootfs" "$CUDACLI"
  make_busybox_rootfs "$F/busybox"
  use_config "$F/config.toml" "$F/state"
  cdi=$("$HAMI_BUILD_DIR/bin/hamictl" cdi generate --output "$F/cdi")
  assert_in "/hami-any-gpu.json: 2 devices" "$cdi"
  # dockerd has --gpus where it finds this program when it starts.
  install -D -m 0755 /dev/stdin "$F/bin/nvidia-container-runtime-hook" <<<"#!/bin/sh
: >'$F/vendor-hook-ran'"
  PATH=$F/bin:$PATH start_docker "$(cdi_settings) .runtimes.hami.path = \"$HAMI\" | .runtimes.plain.path = \"$(command -v "$HAMI_LOW_LEVEL")\""
  import_image "$F/rootfs" hami-test:1
  import_image "$F/busybox" hami-busybox:1
  import_image "$F/rootfs" hami-env:1 'ENV NVIDIA_VISIBLE_DEVICES=all' 'ENV LD_PRELOAD=/tmp/evil.so'
}

# What dockerd's own support of CDI needs, from version 25 on; earlier ones know neither the switch nor the directories.
has_cdi() { [ "$(dockerd --version | sed -E 's/.* version ([0-9]+).*/\1/')" -ge 25 ]; }
cdi_settings() { ! has_cdi || echo ".features.cdi = true | .\"cdi-spec-dirs\" = [\"$F/cdi\"] |"; }

setup() {
  fresh_test_dir
  STATE=$F/state
}

teardown() {
  local ids
  ids=$(private_docker ps -aq)
  # shellcheck disable=SC2086
  [ -z "$ids" ] || private_docker rm -f $ids >/dev/null
}

hami_docker_run() { docker_run --runtime=hami "$@"; }

no_lease() { [ -z "$(leases)" ]; }

SLICE=(-e HAMI_RESOURCES=nvidia.com/gpu=1,nvidia.com/gpumem=3000)

@test "docker run IMAGE nvidia-smi shows the slice" {
  try hami_docker_run --rm "${SLICE[@]}" hami-test:1 nvidia-smi
  assert_status 0
  assert_in "0MiB / 3000MiB" "$out"
  assert_equal "" "$err"
}

@test "memory is held to the slice" {
  try hami_docker_run --rm "${SLICE[@]}" hami-test:1 cudacli alloc 2048 2048
  assert_status 0
  assert_in "2048 MiB: CUDA_SUCCESS" "$out"
  assert_in "2048 MiB: CUDA_ERROR_OUT_OF_MEMORY" "$out"
}

# tests/gpu/run is for real cards; NVML, asked on the host, judges here as there.
@test "the suite for real cards holds in containers" {
  need_built bin/gpu-judge bin/gpu-memory
  export DOCKER_HOST=unix://$DOCKER_SOCKET
  export IMAGE=hami-test:1 DOCKER_OPTIONS="--network none"
  LD_LIBRARY_PATH=$NODE/driver/usr/lib/$(uname -m)-linux-gnu try "$HAMI_SOURCE_DIR/tests/gpu/run" --build "$HAMI_BUILD_DIR" --in docker \
    --slack 0 linear vmm pools graphs contexts sharing
  assert_status 0
  assert_in "ok at full: NVML 4096.0 MiB, the slice says 4096.0 of 4096.0 MiB" "$out"
  assert_in "6 passed, 0 failed, 0 skipped" "$out"
  assert_not_in "of the whole card" "$out"
}

@test "the program's exit status is docker's" {
  try hami_docker_run --rm "${SLICE[@]}" hami-test:1 sh -c 'exit 42'
  assert_status 42
  try docker_run --runtime=plain --rm hami-test:1 /missing/program
  local expected=$status
  try hami_docker_run --rm "${SLICE[@]}" hami-test:1 /missing/program
  assert_status "$expected"
}

# Output that would show a lost, doubled or reordered byte: every value of a byte, no newline at the end, long lines, and more
# than fits into a pipe; on both streams.
SPEAK='i=0; while [ $i -lt 3000 ]; do echo "line $i of the first stream"; echo "line $i of the second stream" >&2; i=$((i + 1)); done
  od -An -v -tx1 /bin/sh | tr -d "\n" | head -c 100000; printf "\\0\\1\\377 no end of line"; exit 7'

@test "logs and streams arrive byte by byte as they do under the low-level runtime alone" {
  local runtime
  for runtime in plain hami; do
    docker_run -d --name "speaks-$runtime" --runtime=$runtime "${SLICE[@]}" hami-test:1 sh -c "$SPEAK"
    assert_equal 7 "$(private_docker wait "speaks-$runtime")"
    private_docker logs "speaks-$runtime" >"$T/$runtime.logs" 2>"$T/$runtime.errors"
    docker_run --rm --runtime=$runtime "${SLICE[@]}" hami-test:1 sh -c "$SPEAK" >"$T/$runtime.out" 2>"$T/$runtime.err" || assert_equal 7 $?
  done
  [ "$(wc -c <"$T/plain.out")" -gt 180000 ]
  cmp "$T/plain.logs" "$T/hami.logs"
  cmp "$T/plain.errors" "$T/hami.errors"
  cmp "$T/plain.out" "$T/hami.out"
  cmp "$T/plain.err" "$T/hami.err"
}

# end_of NAME HOW: ends the container as HOW says, and prints what docker knows of it then.
end_of() {
  private_docker "$2" ${3:+"--signal=$3"} "$1" >/dev/null
  private_docker wait "$1"
  private_docker inspect --format '{{.State.ExitCode}} {{.State.Status}} {{.State.OOMKilled}} {{.State.Error}}' "$1"
}

@test "what docker says of a container that a signal ended is what it says without us" {
  local runtime how starts
  for runtime in plain hami; do
    starts=1
    docker_run -d --name "ends-$runtime" --runtime=$runtime "${SLICE[@]}" hami-test:1 \
      sh -c 'trap "exit 9" TERM; trap "exit 10" USR1; sh -c "kill -SEGV \$\$"; echo $?; while :; do sleep 0.05; done'
    wait_for 20 sh -c "docker --host unix://$DOCKER_SOCKET logs ends-$runtime | grep 139"
    {
      end_of "ends-$runtime" kill KILL
      for how in stop "kill USR1"; do
        private_docker start "ends-$runtime" >/dev/null
        starts=$((starts + 1))
        wait_for 20 sh -c "[ \$(docker --host unix://$DOCKER_SOCKET logs ends-$runtime | grep -c 139) = $starts ]"
        # shellcheck disable=SC2086
        end_of "ends-$runtime" $how
        private_docker logs "ends-$runtime"
      done
    } >"$T/$runtime"
  done
  diff "$T/plain" "$T/hami"
  assert_in "137 exited" "$(cat "$T/hami")"
  assert_in "9 exited" "$(cat "$T/hami")"
}

@test "--rm and docker rm give the slice back" {
  hami_docker_run --rm "${SLICE[@]}" hami-test:1 true
  wait_for 10 no_lease

  hami_docker_run -d --name kept "${SLICE[@]}" hami-test:1 sleep 100000
  assert_leases 1
  private_docker rm -f kept
  wait_for 10 no_lease
  assert_equal "" "$(ls "$STATE/containers")"
}

@test "a stopped container holds nothing, and start and restart take a slice again" {
  hami_docker_run -d --name one "${SLICE[@]}" hami-test:1 sleep 100000
  private_docker stop -t 0 one
  wait_for 10 no_lease

  private_docker start one
  assert_leases 1
  private_docker restart -t 0 one
  assert_leases 1
  try private_docker exec one nvidia-smi
  assert_in "0MiB / 3000MiB" "$out"
}

# refused SAYS DOCKER_ARGUMENT...: docker shows our sentence with SAYS in it, on one line, and keeps nothing.
refused() {
  try hami_docker_run --rm "${@:2}" hami-test:1 echo started
  assert_status 125
  assert_equal "" "$out"
  assert_in "OCI runtime create failed: hami-runtime: " "$err"
  assert_in "$1" "$err"
  assert_equal 1 "$(grep -c hami-runtime: <<<"$err")"
  assert_not_in "did not terminate" "$err"
  assert_not_in "unable to retrieve" "$err"
  assert_leases 0
  assert_equal "" "$(private_docker ps -aq)"
}

@test "every refusal is our sentence, status 125, and leaves nothing" {
  refused 9000000 -e HAMI_RESOURCES=nvidia.com/gpu=1,nvidia.com/gpumem=9000000
  refused "asks for 3 nvidia devices" -e HAMI_RESOURCES=nvidia.com/gpu=3
  refused "'x'" -e HAMI_RESOURCES=nvidia.com/gpu=x
  refused GPU-nowhere -e NVIDIA_VISIBLE_DEVICES=GPU-nowhere
  refused CUDA_DISABLE_CONTROL "${SLICE[@]}" -e CUDA_DISABLE_CONTROL=true
}

@test "the node's memory is counted over containers: what does not fit is refused until one goes" {
  hami_docker_run -d --name one -e HAMI_RESOURCES="nvidia.com/gpu=2,nvidia.com/gpumem=$((CARD_MIB - 1000))" \
    hami-test:1 sleep 100000
  try hami_docker_run --rm "${SLICE[@]}" hami-test:1 true
  assert_status 125
  assert_in "hami-runtime: " "$err"

  private_docker rm -f one
  try hami_docker_run --rm "${SLICE[@]}" hami-test:1 true
  assert_status 0
}

@test "an image without glibc is refused with the reason" {
  try hami_docker_run --rm "${SLICE[@]}" hami-busybox:1 true
  assert_status 125
  assert_in glibc "$err"
}

@test "a container without a request runs as under the low-level runtime alone" {
  local look='env | sort | grep -v HOSTNAME; ls /dev; cut -d" " -f2-3 /proc/self/mounts | sort'
  try docker_run --runtime=plain --rm hami-test:1 sh -c "$look"
  assert_status 0
  local expected=$out
  try hami_docker_run --rm hami-test:1 sh -c "$look"
  assert_status 0
  assert_equal "$expected" "$out"
  assert_leases 0
}

@test "top, exec, pause, logs and inspect work" {
  hami_docker_run -d --name one "${SLICE[@]}" hami-test:1 sh -c 'echo to-log; exec sleep 100000'
  try private_docker top one
  assert_in "sleep 100000" "$out"
  try private_docker exec one sh -c 'exit 9'
  assert_status 9
  private_docker pause one
  private_docker unpause one
  assert_equal to-log "$(private_docker logs one)"
  assert_equal true "$(private_docker inspect --format '{{.State.Running}}' one)"
}

@test "a terminal works" {
  need script
  try script -qec "docker --host unix://$DOCKER_SOCKET run --network none --runtime=hami --rm -t ${SLICE[*]} hami-test:1 tty" /dev/null
  assert_in /dev/pts/ "$out"
}

@test "docker run --device gives a whole card by CDI, where dockerd has it; dockerd says when it has not" {
  local name
  for name in hami.io/gpu=1 nvidia.com/gpu=1; do
    try docker_run --runtime=plain --rm --device "$name" hami-test:1 sh -c 'ls /dev/nvidia[0-9]; nvidia-smi -L | wc -l'
    if has_cdi; then
      assert_status 0
      assert_equal "/dev/nvidia1
1" "$out"
    else
      assert_status 125
      # An older docker takes every device for a path and does not ask dockerd at all.
      [[ $err == *"is not an absolute path"* ]] || assert_in 'could not select device driver "cdi"' "$err"
    fi
  done
}

@test "a card that dockerd's CDI gave is counted where the runtime is ours" {
  has_cdi || skip "this dockerd has no CDI"
  try hami_docker_run -d --device hami.io/gpu=1 hami-test:1 sleep 100000
  assert_status 0
  assert_leases 1
  try hami_docker_run --rm -e HAMI_RESOURCES=nvidia.com/gpu=2,nvidia.com/gpumem=1000 hami-test:1 true
  assert_status 125
  assert_in "held by one container alone" "$err"
}

@test "docker run --gpus all is a request of ours, counted, and the vendor's hook does not run" {
  try hami_docker_run -d --gpus all hami-test:1 sleep 100000
  assert_status 0
  assert_leases 1
  try private_docker exec "$out" nvidia-smi -L
  assert_equal 2 "$(wc -l <<<"$out")"
  [ ! -e "$F/vendor-hook-ran" ] || explain "the vendor's hook ran"
}

@test "hostile environment of an image runs nothing on the host" {
  try hami_docker_run --rm "${SLICE[@]}" hami-env:1 true
  assert_status 0
  assert_leases 0
}

@test "--restart=always takes and gives slices without losing one" {
  hami_docker_run -d --name loop --restart=always "${SLICE[@]}" hami-test:1 sh -c 'exit 1'
  wait_for 30 restarted_three_times loop
  [ "$(leases | wc -l)" -le 1 ] || explain "more than one lease: $(leases)"
  private_docker rm -f loop
  wait_for 10 no_lease
}

restarted_three_times() { [ "$(private_docker inspect --format '{{.RestartCount}}' "$1")" -ge 3 ]; }

@test "a shim killed with SIGKILL loses no slice for ever" {
  hami_docker_run -d --name one -e HAMI_RESOURCES="nvidia.com/gpu=2,nvidia.com/gpumem=$((CARD_MIB - 1000))" \
    hami-test:1 sleep 100000
  local id pid shim
  id=$(private_docker inspect --format '{{.Id}}' one)
  pid=$(private_docker inspect --format '{{.State.Pid}}' one)
  shim=$(awk '{ print $4 }' "/proc/$pid/stat")
  kill -KILL "$shim"
  wait_for 20 not_running one
  private_docker rm -f one

  try hami_docker_run --rm "${SLICE[@]}" hami-test:1 true
  assert_status 0
}

not_running() { [ "$(private_docker inspect --format '{{.State.Running}}' "$1")" = false ]; }
