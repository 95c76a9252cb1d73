# A containerd of our own: private root, state and socket, no CRI plugin.

CONTAINERD_SOCKET=$F/containerd/containerd.sock

start_containerd() {
  need containerd ctr
  mkdir -p "$F/containerd"
  cat >"$F/containerd/config.toml" <<TOML
version = 2
root = "$F/containerd/root"
state = "$F/containerd/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "$CONTAINERD_SOCKET"
[plugins."io.containerd.internal.v1.opt"]
  path = "$F/containerd/opt"
TOML
  background "$F/containerd/log" containerd --config "$F/containerd/config.toml"
  wait_for 30 private_ctr version
}

private_ctr() {
  ctr --address "$CONTAINERD_SOCKET" --namespace "$HAMI_TEST_NAME" "$@"
}
