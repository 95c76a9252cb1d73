// The time model: work takes as long as its blocks say, shared among streams and processes. With a virtual
// clock, so that the numbers are exact.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/fake/driver_api.h"

namespace hami::fake {
namespace {

constexpr std::uint64_t kMillisecond = 1000000;
// 50 multiprocessors have room for 100 blocks.
constexpr const char* kConfig =
    "cuda_version = 13.0\nvirtual_clock = 1\nsample_period_ms = 100\n[gpu]\nmultiprocessors = 50\n";

std::uint64_t time_now() { return driver_function<decltype(&sim_advance_clock)>("sim_advance_clock")(0); }

CUstream make_stream() {
  CUstream stream = nullptr;
  EXPECT_CU(CU(cuStreamCreate)(&stream, 1));
  return stream;
}

class DriverTime : public ::testing::Test {
 protected:
  void in_driver(const std::function<void()>& body) {
    EXPECT_EQ(node_.in_child([&] {
      start_driver();
      body();
    }),
              0);
  }
  SimNode node_{kConfig};
};

TEST_F(DriverTime, AKernelTakesItsWavesOfBlocks) {
  in_driver([] {
    const CUfunction function = kernel("k_1000_100");
    const CUstream stream = make_stream();
    EXPECT_CU(launch(function, 250, stream));
    EXPECT_EQ(CU(cuStreamQuery)(stream), CUDA_ERROR_NOT_READY);
    EXPECT_CU(CU(cuStreamSynchronize)(stream));
    EXPECT_EQ(time_now(), 3 * kMillisecond);
    EXPECT_CU(CU(cuStreamQuery)(stream));
  });
}

TEST_F(DriverTime, KernelsOfTwoStreamsRunSideBySideAsFarAsTheyFit) {
  in_driver([] {
    const CUfunction half = kernel("k_1000_50");
    const CUstream streams[] = {make_stream(), make_stream(), make_stream()};
    for (const CUstream stream : streams) EXPECT_CU(launch(half, 50, stream));
    EXPECT_CU(CU(cuCtxSynchronize)());
    EXPECT_EQ(time_now(), 2 * kMillisecond) << "two at once, then the third";
  });
}

TEST_F(DriverTime, TheLegacyDefaultStreamWaitsForBlockingStreams) {
  in_driver([] {
    const CUfunction small = kernel("k_1000_1");
    CUstream blocking = nullptr;
    EXPECT_CU(CU(cuStreamCreate)(&blocking, 0));
    EXPECT_CU(launch(small, 1, blocking));
    EXPECT_CU(launch(small, 1, nullptr));
    EXPECT_CU(CU(cuStreamSynchronize)(nullptr));
    EXPECT_EQ(time_now(), 2 * kMillisecond);
    EXPECT_CU(CU(cuLaunchKernel_ptsz)(small, 1, 1, 1, 1, 1, 1, 0, nullptr, nullptr, nullptr));
    EXPECT_CU(CU(cuStreamSynchronize_ptsz)(nullptr));
    EXPECT_EQ(time_now(), 3 * kMillisecond);
  });
}

TEST_F(DriverTime, EventsMeasureWork) {
  in_driver([] {
    const CUfunction function = kernel("k_500_100");
    const CUstream stream = make_stream();
    CUevent start = nullptr;
    CUevent end = nullptr;
    float milliseconds = 0;
    EXPECT_CU(CU(cuEventCreate)(&start, 0));
    EXPECT_CU(CU(cuEventCreate)(&end, 0));
    EXPECT_CU(CU(cuEventRecord)(start, stream));
    EXPECT_CU(launch(function, 400, stream));
    EXPECT_CU(CU(cuEventRecord)(end, stream));
    EXPECT_EQ(CU(cuEventElapsedTime)(&milliseconds, start, end), CUDA_ERROR_NOT_READY);
    EXPECT_CU(CU(cuEventSynchronize)(end));
    EXPECT_CU(CU(cuEventElapsedTime)(&milliseconds, start, end));
    EXPECT_FLOAT_EQ(milliseconds, 2.0F);
  });
}

TEST_F(DriverTime, AGraphCostsItsKernels) {
  in_driver([] {
    const CUfunction function = kernel("k_1000_100");
    const CUstream stream = make_stream();
    CUgraph graph = nullptr;
    CUgraphExec exec = nullptr;
    EXPECT_CU(CU(cuStreamBeginCapture_v2)(stream, CU_STREAM_CAPTURE_MODE_RELAXED));
    for (int i = 0; i < 5; ++i) EXPECT_CU(launch(function, 100, stream));
    EXPECT_CU(CU(cuStreamEndCapture)(stream, &graph));
    EXPECT_EQ(time_now(), 0U) << "nothing ran yet";
    EXPECT_CU(CU(cuGraphInstantiateWithFlags)(&exec, graph, 0));
    EXPECT_CU(CU(cuGraphLaunch)(exec, stream));
    EXPECT_CU(CU(cuStreamSynchronize)(stream));
    EXPECT_EQ(time_now(), 5 * kMillisecond);
  });
}

TEST_F(DriverTime, NvmlShowsHowBusyTheCardWasInTheLastPeriod) {
  in_driver([this] {
    const CUfunction function = kernel("k_1000_100");
    const CUstream stream = make_stream();
    EXPECT_CU(launch(function, 40 * 100, stream));  // 40 of 100 ms
    EXPECT_CU(CU(cuStreamSynchronize)(stream));
    driver_function<decltype(&sim_advance_clock)>("sim_advance_clock")(60 * kMillisecond);

    const Outcome told =
        node_.run({sim_file("nvidia-smi"), "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"});

    EXPECT_EQ(told.out, "40\n");
  });
}

TEST_F(DriverTime, ProcessesThatWorkAtOnceShareTheCard) {
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t other = fork();
  if (other == 0) {
    _exit(node_.in_child([&] {
      start_driver();
      EXPECT_CU(launch(kernel("k_100000_100"), 100, make_stream()));  // busy for 100 ms
      EXPECT_EQ(write(ready[1], "x", 1), 1);
      pause();
    }));
  }
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  in_driver([] {
    const CUstream stream = make_stream();
    EXPECT_CU(launch(kernel("k_1000_100"), 100, stream));
    EXPECT_CU(CU(cuStreamSynchronize)(stream));
    EXPECT_EQ(time_now(), 2 * kMillisecond) << "half of the card";
  });
  kill(other, SIGKILL);
  waitpid(other, nullptr, 0);
}

}  // namespace
}  // namespace hami::fake
