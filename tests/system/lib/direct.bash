# Tests that call the runtimes directly: one node for the file, and for each test its own state and no container left
# behind. A file defines anew, after the load, what it has otherwise.

setup_file() {
  make_node
  make_glibc_rootfs "$F/rootfs" "$CUDACLI"
}

setup() {
  fresh_test_dir
  use_config "$T/config.toml" "$T/state"
}

teardown() {
  local id
  for id in $(low_level list -q 2>/dev/null); do low_level delete --force "$id" || true; done
}
