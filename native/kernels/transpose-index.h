// Where the elements of a batch of matrices go when each is transposed, tile by tile: NCHW to NHWC is the
// transposition of [C, H·W] per image, and NHWC to NCHW the other way round.
#pragma once

#include <cstdint>

#include "core/host-device.h"

namespace cudnn_resnet::kernels {

struct TransposeIndex {
  int64_t rows, columns;    // of a source matrix
  int64_t sourceStride;     // elements from one source row to the next: at least `columns`
  int64_t targetRowLength;  // elements in a target row: at least `rows`; those beyond become 0
  int64_t batch;            // matrices

  static constexpr int tile = 32;  // a tile is tile × tile elements
  static constexpr int rowsPerPass =
      8;  // a block of tile × rowsPerPass threads takes tile / rowsPerPass passes

  // Tiles that cover the target.
  CUDNN_RESNET_HOST_DEVICE int64_t columnTiles() const { return (columns + tile - 1) / tile; }
  CUDNN_RESNET_HOST_DEVICE int64_t rowTiles() const { return (targetRowLength + tile - 1) / tile; }

  // The source element that the thread (x, y) of tile (columnTile, rowTile) reads, or -1 for a 0.
  CUDNN_RESNET_HOST_DEVICE int64_t source(int64_t matrix, int64_t columnTile, int64_t rowTile, int x,
                                          int y) const {
    const int64_t row = rowTile * tile + y;
    const int64_t column = columnTile * tile + x;
    return row < rows && column < columns ? (matrix * rows + row) * sourceStride + column : -1;
  }

  // The target element that the thread (x, y) writes from what (y, x) has read, or -1 where there is none.
  CUDNN_RESNET_HOST_DEVICE int64_t target(int64_t matrix, int64_t columnTile, int64_t rowTile, int x,
                                          int y) const {
    const int64_t row = columnTile * tile + y;
    const int64_t column = rowTile * tile + x;
    return row < columns && column < targetRowLength ? (matrix * columns + row) * targetRowLength + column
                                                     : -1;
  }
};

}  // namespace cudnn_resnet::kernels
