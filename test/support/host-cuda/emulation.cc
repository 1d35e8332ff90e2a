#include "emulation.h"

#include <setjmp.h>
#include <ucontext.h>

#include <memory>
#include <utility>
#include <vector>

#include "streams.h"

namespace host_cuda {

constinit thread_local uint3 thread;
uint3 block;
dim3 blockSize;
dim3 gridSize;

namespace {

constexpr size_t mostThreads = 1024;
constexpr size_t mostBytes = 16;
constexpr size_t stackBytes = size_t{64} << 10U;

struct alignas(mostBytes) Slot {
  unsigned char bytes[mostBytes];
};
Slot slots[mostThreads];

// A thread of a block: it runs until it waits for the others, which is when the next one goes on. It is kept
// for the next block; to go on it jumps, as setcontext() asks the system for signal masks each time.
struct Fiber {
  ucontext_t context{};
  std::unique_ptr<unsigned char[]> stack;
  jmp_buf place{};
  bool ended = false;
};
std::vector<Fiber> fibers;
jmp_buf launcher;
unsigned current = 0;
const std::function<void()>* running = nullptr;

uint3 threadAt(unsigned index) {
  return {index % blockSize.x, index / blockSize.x % blockSize.y, index / blockSize.x / blockSize.y};
}

void pause() {
  if (_setjmp(fibers[current].place) == 0) {
    _longjmp(launcher, 1);
  }
}

void runFiber() {
  while (true) {
    (*running)();
    fibers[current].ended = true;
    pause();
  }
}

void resume(Fiber& fiber) {
  if (_setjmp(launcher) != 0) {
    return;
  }
  if (fiber.stack) {
    _longjmp(fiber.place, 1);
  }
  fiber.stack = std::make_unique<unsigned char[]>(stackBytes);
  getcontext(&fiber.context);
  fiber.context.uc_stack.ss_sp = fiber.stack.get();
  fiber.context.uc_stack.ss_size = stackBytes;
  makecontext(&fiber.context, runFiber, 0);
  setcontext(&fiber.context);
}

void runTogether(unsigned count) {
  if (fibers.size() < count) {
    fibers.resize(count);
  }
  for (unsigned index = 0; index < count; ++index) {
    fibers[index].ended = false;
  }
  for (bool left = true; left;) {
    left = false;
    for (current = 0; current < count; ++current) {
      if (!fibers[current].ended) {
        thread = threadAt(current);
        resume(fibers[current]);
        left = left || !fibers[current].ended;
      }
    }
  }
}

}  // namespace

namespace {

void run(dim3 grid, dim3 threads, bool together, const std::function<void()>& kernel) {
  blockSize = threads;
  gridSize = grid;
  running = &kernel;
  const unsigned count = threads.x * threads.y * threads.z;
  const unsigned blocks = grid.x * grid.y * grid.z;
  for (unsigned i = 0; i < blocks; ++i) {
    block = {i % grid.x, i / grid.x % grid.y, i / grid.x / grid.y};
    if (together) {
      runTogether(count);
      continue;
    }
    for (unsigned index = 0; index < count; ++index) {
      thread = threadAt(index);
      kernel();
    }
  }
}

}  // namespace

void launch(cudaStream_t stream, dim3 grid, dim3 threads, bool together, std::function<void()> kernel) {
  enqueue(stream, [=, kernel = std::move(kernel)] { run(grid, threads, together, kernel); });
}

void synchronize() { pause(); }

void exchange(void* value, size_t bytes, int mask) {
  const unsigned index = (thread.z * blockSize.y + thread.y) * blockSize.x + thread.x;
  std::memcpy(slots[index].bytes, value, bytes);
  synchronize();
  std::memcpy(value, slots[index ^ static_cast<unsigned>(mask)].bytes, bytes);
  synchronize();
}

}  // namespace host_cuda
