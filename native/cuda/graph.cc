#include "cuda/graph.h"

#include <mutex>

#include "cuda/capturing.h"
#include "cuda/error.h"

namespace cudnn_resnet::cuda {
namespace {

struct GraphEnd {
  void operator()(cudaGraph_t graph) const noexcept { cudaGraphDestroy(graph); }
};
using Graph = std::unique_ptr<std::remove_pointer_t<cudaGraph_t>, GraphEnd>;

Graph graphOf(cudaStream_t stream, const std::function<void()>& work) {
  const std::scoped_lock alone(capturing());
  // Relaxed: only this thread uses the stream, and what else it asks of CUDA is of no concern to the graph.
  check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed), "cudaStreamBeginCapture");
  cudaGraph_t graph = nullptr;
  try {
    work();
  } catch (...) {
    cudaStreamEndCapture(stream, &graph);
    cudaGetLastError();  // what ended the capture is told already
    if (graph != nullptr) {
      cudaGraphDestroy(graph);
    }
    throw;
  }
  check(cudaStreamEndCapture(stream, &graph), "cudaStreamEndCapture");
  return Graph(graph);
}

}  // namespace

ExecutableGraph captured(cudaStream_t stream, const std::function<void()>& work) {
  const Graph graph = graphOf(stream, work);
  cudaGraphExec_t executable = nullptr;
  check(cudaGraphInstantiate(&executable, graph.get(), 0), "cudaGraphInstantiate");
  return ExecutableGraph(executable);
}

}  // namespace cudnn_resnet::cuda
