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
  echo $! >"$F/containerd/pid"
  wait_for 30 private_ctr version
}

stop_containerd() {
  local pid
  pid=$(<"$F/containerd/pid")
  kill "$pid"
  wait_for 20 process_ended "$pid"
}

private_ctr() {
  ctr --address "$CONTAINERD_SOCKET" --namespace "$HAMI_TEST_NAME" "$@"
}

# import_ctr_image ROOTFS NAME: an image of one layer, as an OCI archive.
import_ctr_image() {
  local dir=$F/oci-image layer config manifest
  mkdir -p "$dir/blobs/sha256"
  tar -C "$1" -cf "$dir/layer" .
  layer=$(add_blob "$dir" "$dir/layer")
  jq -n --arg layer "sha256:$layer" '{architecture: "amd64", os: "linux", config: {Cmd: ["sh"],
    Env: ["PATH=/usr/local/bin:/usr/bin:/bin:/sbin:/usr/sbin"]}, rootfs: {type: "layers", diff_ids: [$layer]}}' >"$dir/config"
  config=$(add_blob "$dir" "$dir/config")
  jq -n --arg layer "sha256:$layer" --arg config "sha256:$config" \
    --argjson layer_size "$(stat -c %s "$dir/blobs/sha256/$layer")" \
    --argjson config_size "$(stat -c %s "$dir/blobs/sha256/$config")" '{schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: {mediaType: "application/vnd.oci.image.config.v1+json", digest: $config, size: $config_size},
    layers: [{mediaType: "application/vnd.oci.image.layer.v1.tar", digest: $layer, size: $layer_size}]}' >"$dir/manifest"
  manifest=$(add_blob "$dir" "$dir/manifest")
  jq -n --arg digest "sha256:$manifest" --arg name "$2" --argjson size "$(stat -c %s "$dir/blobs/sha256/$manifest")" \
    '{schemaVersion: 2, manifests: [{mediaType: "application/vnd.oci.image.manifest.v1+json", digest: $digest,
    size: $size, annotations: {"io.containerd.image.name": $name}}]}' >"$dir/index.json"
  echo '{"imageLayoutVersion": "1.0.0"}' >"$dir/oci-layout"
  tar -C "$dir" -cf "$F/image.tar" blobs index.json oci-layout
  private_ctr image import "$F/image.tar" >/dev/null
}

# add_blob LAYOUT FILE: moves the file among the blobs and prints its digest.
add_blob() {
  local digest
  digest=$(sha256sum "$2" | cut -d' ' -f1)
  mv "$2" "$1/blobs/sha256/$digest"
  echo "$digest"
}
