#!/usr/bin/env python3
"""cuda_ctypes.py [--device N] [--fork] alloc SIZE...: what cudacli does, from an interpreter.

SIZE in MiB. With --fork a child tries first, after the parent started the driver: it must be told that it cannot.
Works on a real card too.
"""

import ctypes
import os
import sys

MIB = 1 << 20


class Driver:
    def __init__(self, ordinal):
        self.cuda = ctypes.CDLL("libcuda.so.1")
        self.check("cuInit", self.cuda.cuInit(0))
        self.device = ctypes.c_int()
        self.check("cuDeviceGet", self.cuda.cuDeviceGet(ctypes.byref(self.device), ordinal))
        context = ctypes.c_void_p()
        self.check("cuDevicePrimaryCtxRetain", self.cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), self.device))
        self.check("cuCtxSetCurrent", self.cuda.cuCtxSetCurrent(context))

    def name(self, code):
        text = ctypes.c_char_p()
        self.cuda.cuGetErrorName(code, ctypes.byref(text))
        return text.value.decode() if text.value else "not a CUresult"

    def check(self, what, code):
        if code != 0:
            sys.exit(f"cuda_ctypes: {what}: {self.name(code)} ({code})")

    def alloc(self, size):
        address = ctypes.c_uint64()
        code = self.cuda.cuMemAlloc_v2(ctypes.byref(address), ctypes.c_size_t(size))
        outcome = "CUDA_SUCCESS" if code == 0 else f"{self.name(code)} ({code})"
        print(f"cuMemAlloc {size // MIB} MiB: {outcome}", flush=True)

    def info(self):
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        self.check("cuMemGetInfo", self.cuda.cuMemGetInfo_v2(ctypes.byref(free), ctypes.byref(total)))
        print(f"cuMemGetInfo: free {free.value // MIB} MiB, total {total.value // MIB} MiB", flush=True)


def main(arguments):
    ordinal, forks = 0, False
    while arguments and arguments[0].startswith("--"):
        option = arguments.pop(0)
        if option == "--device":
            ordinal = int(arguments.pop(0))
        elif option == "--fork":
            forks = True
        else:
            sys.exit(__doc__)
    if len(arguments) < 2 or arguments[0] != "alloc":
        sys.exit(__doc__)
    driver = Driver(ordinal)
    if forks:
        child = os.fork()
        if child == 0:
            driver.alloc(MIB)
            os._exit(0)
        os.waitpid(child, 0)
    for size in arguments[1:]:
        driver.alloc(int(size) * MIB)
    driver.info()


if __name__ == "__main__":
    main(sys.argv[1:])
