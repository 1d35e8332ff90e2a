#include "emulation.h"

#include <barrier>
#include <memory>
#include <thread>
#include <vector>

namespace host_cuda {

thread_local uint3 thread;
uint3 block;
dim3 blockSize;
dim3 gridSize;

namespace {

constexpr size_t mostThreads = 1024;
constexpr size_t mostBytes = 16;

std::unique_ptr<std::barrier<>> meeting;
struct alignas(mostBytes) Slot {
  unsigned char bytes[mostBytes];
};
Slot slots[mostThreads];

uint3 threadAt(unsigned index) {
  return {index % blockSize.x, index / blockSize.x % blockSize.y, index / blockSize.x / blockSize.y};
}

}  // namespace

void launch(dim3 grid, dim3 threads, bool together, const std::function<void()>& kernel) {
  blockSize = threads;
  gridSize = grid;
  const unsigned count = threads.x * threads.y * threads.z;
  const unsigned blocks = grid.x * grid.y * grid.z;
  if (!together) {
    for (unsigned i = 0; i < blocks; ++i) {
      block = {i % grid.x, i / grid.x % grid.y, i / grid.x / grid.y};
      for (unsigned index = 0; index < count; ++index) {
        thread = threadAt(index);
        kernel();
      }
    }
    return;
  }
  meeting = std::make_unique<std::barrier<>>(count);
  std::vector<std::thread> running;
  for (unsigned index = 0; index < count; ++index) {
    running.emplace_back([&, index] {
      thread = threadAt(index);
      for (unsigned i = 0; i < blocks; ++i) {
        meeting->arrive_and_wait();
        if (index == 0) {
          block = {i % grid.x, i / grid.x % grid.y, i / grid.x / grid.y};
        }
        meeting->arrive_and_wait();
        kernel();
      }
    });
  }
  for (auto& one : running) {
    one.join();
  }
}

void synchronize() { meeting->arrive_and_wait(); }

void exchange(void* value, size_t bytes, int mask) {
  const unsigned index = (thread.z * blockSize.y + thread.y) * blockSize.x + thread.x;
  std::memcpy(slots[index].bytes, value, bytes);
  synchronize();
  std::memcpy(value, slots[index ^ static_cast<unsigned>(mask)].bytes, bytes);
  synchronize();
}

}  // namespace host_cuda
