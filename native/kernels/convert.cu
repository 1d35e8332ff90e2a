#include "kernels/convert.h"
#include "kernels/elements.cuh"
#include "kernels/grid.cuh"
#include "kernels/launch.h"

namespace cudnn_resnet::kernels {
namespace {

template <typename From, typename To>
__global__ void castKernel(const From* __restrict__ from, To* __restrict__ to, int64_t count) {
  forEach(count, [&](int64_t i) { to[i] = convert<To>(from[i]); });
}

// Eight elements per thread; the accesses of the narrower type are at least 8 bytes wide, of the wider at
// least 16.
template <typename T>
struct alignas(sizeof(T) * 8 < 16 ? sizeof(T) * 8 : 16) Eight {
  T values[8];
};

template <typename From, typename To>
__global__ void castEightKernel(const Eight<From>* __restrict__ from, Eight<To>* __restrict__ to,
                                int64_t count) {
  forEach(count, [&](int64_t i) {
    const Eight<From> source = from[i];
    Eight<To> target;
#pragma unroll
    for (int lane = 0; lane < 8; ++lane) {
      target.values[lane] = convert<To>(source.values[lane]);
    }
    to[i] = target;
  });
}

template <typename T>
__global__ void transposeKernel(TransposeIndex index, const T* __restrict__ from, T* __restrict__ to) {
  // One column more than the tile is wide, so that reading a column meets every bank once.
  __shared__ T buffer[TransposeIndex::tile][TransposeIndex::tile + 1];
  const int64_t tiles = index.columnTiles() * index.rowTiles() * index.batch;
  for (int64_t tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
    const int64_t columnTile = tile % index.columnTiles();
    const int64_t rowTile = tile / index.columnTiles() % index.rowTiles();
    const int64_t matrix = tile / index.columnTiles() / index.rowTiles();
    const int x = static_cast<int>(threadIdx.x);
    for (int y = static_cast<int>(threadIdx.y); y < TransposeIndex::tile; y += TransposeIndex::rowsPerPass) {
      const int64_t source = index.source(matrix, columnTile, rowTile, x, y);
      buffer[y][x] = source < 0 ? T{0} : from[source];
    }
    __syncthreads();
    for (int y = static_cast<int>(threadIdx.y); y < TransposeIndex::tile; y += TransposeIndex::rowsPerPass) {
      const int64_t target = index.target(matrix, columnTile, rowTile, x, y);
      if (target >= 0) {
        to[target] = buffer[x][y];
      }
    }
    __syncthreads();
  }
}

// Where a target row is one access, as a pixel of an image that is padded for Tensor Cores: transposeKernel's
// tiles would be empty but for a few rows, and its index arithmetic would take longer than the memory, some
// fifteen times the instructions of this.
template <typename T>
__global__ void shortRowsKernel(TransposeIndex index, const T* __restrict__ from,
                                Vector<T>* __restrict__ to) {
  forEach(index.batch * index.columns, [&](int64_t i) {
    const T* column = from + i / index.columns * index.rows * index.sourceStride + i % index.columns;
    Vector<T> row;
#pragma unroll
    for (int lane = 0; lane < Vector<T>::lanes; ++lane) {
      row.values[lane] = lane < index.rows ? column[lane * index.sourceStride] : T{0};
    }
    to[i] = row;
  });
}

template <typename T>
__global__ void copyRowsKernel(Rows shape, const T* __restrict__ from, T* __restrict__ to) {
  const int64_t count = shape.rows * shape.targetStride;
  forEach(count, [&](int64_t i) {
    const int64_t row = i / shape.targetStride;
    const int64_t column = i % shape.targetStride;
    to[i] = column < shape.columns ? from[row * shape.sourceStride + column] : T{0};
  });
}

// An unsigned integer of the size, as the argument of a generic lambda.
template <typename Function>
void withBits(size_t bytes, Function&& function) {
  switch (bytes) {
    case 1:
      return function(uint8_t{});
    case 2:
      return function(uint16_t{});
    case 4:
      return function(uint32_t{});
    case 8:
      return function(uint64_t{});
    default:
      throw Error(ErrorCode::Native, "no element has " + std::to_string(bytes) + " bytes");
  }
}

}  // namespace

void cast(const void* from, DType fromType, void* to, DType toType, int64_t count, cudaStream_t stream) {
  const bool wide = count % 8 == 0 && aligned(from, 16) && aligned(to, 16);
  withElement(fromType, [&](auto source) {
    withElement(toType, [&](auto target) {
      using From = decltype(source);
      using To = decltype(target);
      if (wide) {
        castEightKernel<From, To><<<blocksFor(count / 8), threadsPerBlock, 0, stream>>>(
            static_cast<const Eight<From>*>(from), static_cast<Eight<To>*>(to), count / 8);
      } else {
        castKernel<From, To><<<blocksFor(count), threadsPerBlock, 0, stream>>>(static_cast<const From*>(from),
                                                                               static_cast<To*>(to), count);
      }
    });
  });
  checkLaunch("cast");
}

void transpose(const TransposeIndex& index, const void* from, void* to, size_t elementBytes,
               cudaStream_t stream) {
  const unsigned blocks = gridOf(index.columnTiles() * index.rowTiles() * index.batch);
  const dim3 threads(TransposeIndex::tile, TransposeIndex::rowsPerPass);
  withBits(elementBytes, [&](auto element) {
    using T = decltype(element);
    if (index.targetRowLength == Vector<T>::lanes && aligned(to, sizeof(Vector<T>))) {
      shortRowsKernel<T><<<blocksFor(index.batch * index.columns), threadsPerBlock, 0, stream>>>(
          index, static_cast<const T*>(from), static_cast<Vector<T>*>(to));
    } else {
      transposeKernel<T>
          <<<blocks, threads, 0, stream>>>(index, static_cast<const T*>(from), static_cast<T*>(to));
    }
  });
  checkLaunch("transpose");
}

void copyRows(const Rows& shape, const void* from, void* to, size_t elementBytes, cudaStream_t stream) {
  withBits(elementBytes, [&](auto element) {
    using T = decltype(element);
    copyRowsKernel<T><<<blocksFor(shape.rows * shape.targetStride), threadsPerBlock, 0, stream>>>(
        shape, static_cast<const T*>(from), static_cast<T*>(to));
  });
  checkLaunch("copyRows");
}

}  // namespace cudnn_resnet::kernels
