// One thread of random driver calls, and the reference model of what they hold.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <vector>

#include "tests/fake/coverage/doors.h"

namespace hami::property {

inline constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;

enum class Kind { linear, managed, pitch, array, mipmap, physical, stream_ordered, from_pool };

// A piece of memory. `bytes` is what the model says it takes from the device.
struct Object {
  Kind kind = Kind::linear;
  std::uint64_t name = 0;     // address, array or handle
  std::uint64_t address = 0;  // of the range that physical memory is mapped in; 0: none
  std::uint64_t bytes = 0;
  std::uint64_t in_block = 0;  // of a small piece: its size; `bytes` is 0 then, its block is counted
  bool has_handle = true;      // physical memory whose handle was released lives on in its mapping
};

// What the threads of a process share.
struct Shared {
  CUdevice device = 0;
  CUcontext context = nullptr;
  CUmemoryPool pool = nullptr;
  bool is_alone = false;  // no other thread or process: refusals can be judged
  std::atomic<std::uint64_t> model{0};
  std::atomic<std::uint64_t> refused{0};
  std::atomic<std::uint64_t> wrong{0};
  // Linear memory that one thread put down and another may take up and free.
  std::mutex table_lock;
  std::vector<Object> table;
  // Small pieces in each block of 2 MiB.
  std::mutex blocks_lock;
  std::map<std::uint64_t, unsigned> blocks;
};

class Worker {
 public:
  // cuda: the door through which this thread calls the driver.
  Worker(Shared& shared, const coverage::Cuda& cuda, std::uint64_t seed)
      : shared_(shared), cuda_(cuda), random_(seed) {}

  // One random operation.
  void step();

 private:
  std::uint64_t draw(std::uint64_t bound);
  std::uint64_t random_size();
  void take();
  void give(std::size_t index);
  void turn(Object& object);
  void swap_with_table();
  void use_context_of_its_own();
  void ask_for_nonsense();
  CUresult make(Object& object);
  CUresult make_array(Object& object);
  CUresult make_mipmap(Object& object);
  CUresult make_physical(Object& object);
  CUresult destroy(const Object& object);
  CUresult unmap(Object& object);
  void count_block(const Object& object, bool is_new);
  void expect(bool holds, const char* what, int value);

  Shared& shared_;
  const coverage::Cuda& cuda_;
  std::uint64_t random_;
  std::vector<Object> objects_;
};

}  // namespace hami::property
