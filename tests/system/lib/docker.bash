# A dockerd of our own with its own containerd: private directories, no bridge, no firewall rules.

DOCKER_SOCKET=$F/docker/docker.sock

# start_docker [JQ_FILTER]: the filter adds to daemon.json.
start_docker() {
  need dockerd containerd docker
  mkdir -p "$F/docker"
  jq -n '{iptables: false, ip6tables: false, bridge: "none"}' | jq "${1-.}" >"$F/docker/daemon.json"
  background "$F/docker/log" dockerd --config-file "$F/docker/daemon.json" --data-root "$F/docker/data" \
    --exec-root "$F/docker/exec" --pidfile "$F/docker/pid" -H "unix://$DOCKER_SOCKET" \
    --cgroup-parent "/$HAMI_TEST_NAME" --shutdown-timeout 1
  wait_for 60 private_docker version
}

private_docker() {
  docker --host "unix://$DOCKER_SOCKET" "$@"
}

# Network "none" is the only one without a bridge.
docker_run() {
  private_docker run --network none "$@"
}

# import_image ROOTFS NAME [DOCKERFILE_INSTRUCTION...]
import_image() {
  local rootfs=$1 name=$2 change options=()
  shift 2
  for change in "$@"; do options+=(--change "$change"); done
  tar -C "$rootfs" -c . | private_docker import "${options[@]}" - "$name" >/dev/null
}
