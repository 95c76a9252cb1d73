"""torch_training.py SECONDS: trains a small network and prints "rate STEPS_PER_SECOND" of all after the first two
seconds. The share of a card is the rate with a limit by the rate without one."""

import sys
import time

import torch


def main():
    length = float(sys.argv[1])
    layers = [torch.nn.Linear(1024, 1024), torch.nn.ReLU()] * 4
    network = torch.nn.Sequential(*layers, torch.nn.Linear(1024, 10)).cuda()
    optimizer = torch.optim.Adam(network.parameters())
    inputs = torch.rand(512, 1024, device="cuda")
    labels = torch.randint(10, (512,), device="cuda")
    begin = time.monotonic()
    counted_from, steps = 0.0, 0
    while time.monotonic() - begin < length:
        for _ in range(10):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(network(inputs), labels).backward()
            optimizer.step()
        torch.cuda.synchronize()
        if counted_from:
            steps += 10
        elif time.monotonic() - begin > 2:
            counted_from = time.monotonic()
    print("rate", steps / (time.monotonic() - counted_from), flush=True)


main()
