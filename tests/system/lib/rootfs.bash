# Root file systems and images, made of what is installed here: nothing is downloaded.

# copy_with_libraries ROOT FILE [DEST]: a program with the loader and libraries that ldd names, under their own paths.
copy_with_libraries() {
  local root=$1 file=$2 dest=${3-$2} library
  install -D -m 0755 "$file" "$root$dest"
  while read -r library; do
    [ -e "$root$library" ] || install -D -m 0755 "$library" "$root$library"
  done < <(ldd "$file" 2>/dev/null | grep -o '/[^ ]*')
}

# make_busybox_rootfs ROOT: one static program and its links, no C library.
make_busybox_rootfs() {
  local root=$1
  need busybox
  ! ldd "$(command -v busybox)" >/dev/null 2>&1 || {
    echo "busybox is dynamically linked; apt-get install busybox-static" >&2
    return 1
  }
  mkdir -p "$root"/{bin,etc,proc,sys,dev,tmp,root,usr/bin,var/lib}
  install -m 0755 "$(command -v busybox)" "$root/bin/busybox"
  chroot "$root" /bin/busybox --install -s /bin
  echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
  echo 'root:x:0:' >"$root/etc/group"
}

# make_glibc_rootfs ROOT [PROGRAM...]: busybox, the host's C library, and the programs in /usr/local/bin.
make_glibc_rootfs() {
  local root=$1 program
  shift
  make_busybox_rootfs "$root"
  # `getconf` stands for every dynamic program: it brings the loader and libc where this distribution has them.
  copy_with_libraries "$root" "$(command -v getconf)"
  local libc_dir
  libc_dir=$(dirname "$(ldd "$(command -v getconf)" | grep -o '/[^ ]*libc\.so\.6')")
  for program in libdl.so.2 libpthread.so.0 librt.so.1 libm.so.6; do
    install -D -m 0755 "$libc_dir/$program" "$root$libc_dir/$program"
  done
  echo 'include /etc/ld.so.conf.d/*.conf' >"$root/etc/ld.so.conf"
  mkdir -p "$root/etc/ld.so.conf.d"
  cp /etc/ld.so.conf.d/*.conf "$root/etc/ld.so.conf.d/" 2>/dev/null || true
  ldconfig -r "$root"
  for program in "$@"; do
    copy_with_libraries "$root" "$program" "/usr/local/bin/$(basename "$program")"
  done
}
