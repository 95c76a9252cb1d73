"""A directory that is filled like a root: files, links, device nodes, sockets."""

import os
import shutil
import socket
import stat


class Tree:
    """Every path is relative to the directory; parents are made as needed, 0755."""

    def __init__(self, directory):
        self.directory = os.path.abspath(directory)

    def path(self, name):
        return os.path.join(self.directory, name)

    def _prepare(self, name):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        return path

    def directory_at(self, name):
        os.makedirs(self.path(name), mode=0o755, exist_ok=True)

    def text(self, name, content, mode=0o644):
        path = self._prepare(name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(content)
        os.chmod(path, mode)

    def data(self, name, content, mode=0o644):
        path = self._prepare(name)
        with open(path, "wb") as file:
            file.write(content)
        os.chmod(path, mode)

    def copy(self, source, name, mode=0o755):
        path = self._prepare(name)
        shutil.copyfile(source, path)
        os.chmod(path, mode)

    def link(self, name, target):
        os.symlink(target, self._prepare(name))

    def node(self, name, major, minor, mode=0o666):
        path = self._prepare(name)
        os.mknod(path, stat.S_IFCHR | mode, os.makedev(major, minor))
        os.chmod(path, mode)  # whatever the umask

    def socket(self, name):
        path = self._prepare(name)
        here = os.getcwd()
        os.chdir(os.path.dirname(path))  # the address of a socket may be no longer than 107 bytes
        try:
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(os.path.basename(path))
        finally:
            os.chdir(here)
