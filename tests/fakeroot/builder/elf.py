"""Shared objects as small as the loader accepts: a SONAME, and nothing to call."""

import os
import struct

# e_machine and the name of the multiarch directory, by `os.uname().machine`.
MACHINES = {"x86_64": (62, "x86_64-linux-gnu"), "aarch64": (183, "aarch64-linux-gnu")}

PT_LOAD, PT_DYNAMIC = 1, 2
DT_NULL, DT_HASH, DT_STRTAB, DT_SYMTAB, DT_STRSZ, DT_SYMENT, DT_SONAME = 0, 4, 5, 6, 10, 11, 14
SYMBOL = 24  # bytes of an Elf64_Sym
HEADERS = 64 + 2 * 56


def machine():
    return MACHINES[os.uname().machine]


def shared_object(soname):
    """The bytes of a 64-bit library with this SONAME and no symbol."""
    strings = b"\0" + soname.encode() + b"\0"
    symbols_at = (HEADERS + len(strings) + 7) // 8 * 8
    hash_at = symbols_at + SYMBOL
    hash_table = struct.pack("<5I", 1, 1, 0, 0, 0)  # one bucket, one chain, both empty
    dynamic_at = (hash_at + len(hash_table) + 7) // 8 * 8
    dynamic = b"".join(
        struct.pack("<QQ", tag, value)
        for tag, value in (
            (DT_SONAME, 1),
            (DT_HASH, hash_at),
            (DT_STRTAB, HEADERS),
            (DT_SYMTAB, symbols_at),
            (DT_STRSZ, len(strings)),
            (DT_SYMENT, SYMBOL),
            (DT_NULL, 0),
        )
    )
    size = dynamic_at + len(dynamic)
    image = bytearray(size)
    ident = b"\x7fELF" + bytes((2, 1, 1)) + bytes(9)
    image[0:64] = ident + struct.pack("<HHIQQQIHHHHHH", 3, machine()[0], 1, 0, 64, 0, 0, 64, 56, 2, 64, 0, 0)
    image[64:120] = struct.pack("<IIQQQQQQ", PT_LOAD, 6, 0, 0, 0, size, size, 4096)
    image[120:176] = struct.pack("<IIQQQQQQ", PT_DYNAMIC, 6, dynamic_at, dynamic_at, dynamic_at, len(dynamic), len(dynamic), 8)
    image[HEADERS : HEADERS + len(strings)] = strings
    image[hash_at : hash_at + len(hash_table)] = hash_table
    image[dynamic_at:size] = dynamic
    return bytes(image)
