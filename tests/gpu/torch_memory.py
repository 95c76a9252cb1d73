"""Takes the slice's memory through PyTorch's allocator (PYTORCH_CUDA_ALLOC_CONF says which), computes, and is refused
at the limit with the error that PyTorch knows. Prints the lines of tests/gpu/cuda.h."""

import os
import sys

import torch

MIB = 1 << 20
failures = 0


def expect(good, what):
    global failures
    print("ok" if good else "not ok", what, flush=True)
    failures += not good


def checkpoint(name):
    torch.cuda.synchronize()
    free, total = torch.cuda.mem_get_info()
    print("at", name, total - free, total, flush=True)
    if "GPU_SUITE_JUDGED" in os.environ:
        sys.stdin.read(1)


def take_all():
    """Tensors of falling size until none fits."""
    taken = []
    size = 16384
    while size >= 2:
        try:
            taken.append(torch.empty(size * MIB, dtype=torch.uint8, device="cuda"))
        except torch.cuda.OutOfMemoryError:
            size //= 2
    return taken


def main():
    total = torch.cuda.get_device_properties(0).total_memory
    expect(torch.cuda.mem_get_info()[1] == total, "the device's properties name the slice's memory")
    matrix = torch.rand(1024, 1024, device="cuda")
    product = matrix @ torch.eye(1024, device="cuda")
    expect(torch.allclose(product, matrix, atol=1e-2), "a product is right")
    checkpoint("start")
    taken = take_all()
    expect(len(taken) > 0, "tensors are granted until one is refused with OutOfMemoryError")
    checkpoint("full")
    taken.clear()
    torch.cuda.empty_cache()
    expect(torch.empty(64 * MIB, dtype=torch.uint8, device="cuda").numel() > 0, "what was freed is granted again")
    checkpoint("end")
    return 1 if failures else 0


sys.exit(main())
