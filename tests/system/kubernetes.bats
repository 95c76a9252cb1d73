# The installer of packaging/kubernetes on a root file system that stands for a node's.

load lib/common
load lib/rootfs

INSTALL=$HAMI_SOURCE_DIR/packaging/kubernetes/install.sh

setup_file() {
  need cmake chroot
  need_built bin/hamictl
  DESTDIR=$F/product cmake --install "$HAMI_BUILD_DIR" --prefix /usr >"$F/install.log"
}

setup() {
  fresh_test_dir
  make_busybox_rootfs "$T/host"
  mkdir -p "$T/host/etc/containerd"
  printf 'version = 2\n# the node'\''s own\n' >"$T/host/etc/containerd/config.toml"
  cp "$T/host/etc/containerd/config.toml" "$T/config.before"
}

install_sh() {
  try env HOST="$T/host" PRODUCT="$F/product" CONFIG="${CONFIG-}" RESTART="touch $T/restarted" "$INSTALL" "$@"
}

@test "install brings the programs and the handler, and restarts containerd once" {
  install_sh install
  assert_status 0
  assert_in 'BinaryName = "/usr/bin/hami-runtime"' "$(<"$T/host/etc/containerd/config.toml")"
  assert_in "hamictl version" "$(chroot "$T/host" /usr/bin/hamictl --version)"
  assert_same_file "$F/product/usr/lib/hami/libvgpu.so" "$T/host/usr/lib/hami/libvgpu.so"
  assert_equal /usr/bin/hami-runtime "$(readlink "$T/host/usr/lib/hami/shim-path/runc")"
  [ -e "$T/restarted" ] || explain "containerd was not restarted"

  rm "$T/restarted"
  echo '# policy of this node' >"$T/host/etc/hami/config.toml"
  install_sh install
  assert_status 0
  [ ! -e "$T/restarted" ] || explain "containerd was restarted for nothing"
  assert_equal '# policy of this node' "$(<"$T/host/etc/hami/config.toml")"
}

@test "a template of k3s gets the handler instead" {
  mkdir -p "$T/host/var/lib/rancher/k3s/agent/etc/containerd"
  CONFIG=/var/lib/rancher/k3s/agent/etc/containerd/config.toml.tmpl install_sh install
  assert_status 0
  assert_in '{{ template "base" . }}' "$(<"$T/host/var/lib/rancher/k3s/agent/etc/containerd/config.toml.tmpl")"
  assert_same_file "$T/config.before" "$T/host/etc/containerd/config.toml"
}

@test "remove gives containerd its file back and takes the programs away" {
  install_sh install
  install_sh remove
  assert_status 0
  assert_same_file "$T/config.before" "$T/host/etc/containerd/config.toml"
  assert_equal "" "$(find "$T/host/usr" -name '*hami*' -o -name '*vgpu*')"
}

@test "a file of containerd that cannot be read stops the installation, and containerd goes on" {
  echo 'version = [' >"$T/host/etc/containerd/config.toml"
  install_sh install
  [ "$status" != 0 ] || explain "the broken file was accepted"
  assert_in "line 1" "$err"
  [ ! -e "$T/restarted" ] || explain "containerd was restarted with a broken file"
}
