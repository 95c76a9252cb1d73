# The product where its package puts it. /usr and /etc become overlays in the mount namespace of this run, so nothing of
# the machine changes.

# cover_directory DIR: what is written below DIR from here on goes with the namespace.
cover_directory() {
  local layer=$F/layers$1
  mkdir -p "$layer/upper" "$layer/work"
  mount -t overlay -o "lowerdir=$1,upperdir=$layer/upper,workdir=$layer/work" overlay "$1"
}

# install_product: programs, library, recipes and configuration, at their own paths.
install_product() {
  need cmake
  cover_directory /usr
  cover_directory /etc
  cmake --install "$HAMI_BUILD_DIR" --prefix /usr >"$F/install.log"
}

# use_installed_config [TOML...]: the installed configuration, on the simulated node of make_node. The TOML goes into
# section [runtime].
use_installed_config() {
  unset HAMI_CONFIG_FILE
  STATE=/run/hami
  mkdir -p /etc/hami/vendors.d
  install -m 0644 "$HAMI_SOURCE_DIR/tests/fakeroot/simulated-nvidia.yaml" /etc/hami/vendors.d/
  install -m 0644 /dev/stdin /etc/hami/config.toml <<TOML
[runtime]
low_level = ["$HAMI_LOW_LEVEL"]
$(printf '%s\n' "$@")
[roots]
driver = "$NODE/driver"
dev = "$NODE/driver"
proc = "$NODE/driver/proc"
sys = "$NODE/driver/sys"
TOML
}
