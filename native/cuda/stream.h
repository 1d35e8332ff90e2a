// CUDA's streams and events, freed at their end.
#pragma once

#include <cuda_runtime_api.h>

#include <memory>
#include <type_traits>

namespace cudnn_resnet::cuda {

class Stream;

// A moment in the work of a stream.
class Event {
 public:
  enum class Use { Order, Timing };
  explicit Event(Use use = Use::Order);

  [[nodiscard]] cudaEvent_t get() const noexcept { return event_.get(); }
  // The end of what the stream has been given.
  void record(const Stream& stream);
  // Has the host wait until the moment has come; does not where none was recorded.
  void wait(const char* what) const;

 private:
  struct End {
    void operator()(cudaEvent_t event) const noexcept { cudaEventDestroy(event); }
  };
  std::unique_ptr<std::remove_pointer_t<cudaEvent_t>, End> event_;
};

class Stream {
 public:
  // Not the default stream: others in this process may use that, and it waits for every other one.
  Stream();

  [[nodiscard]] cudaStream_t get() const noexcept { return stream_.get(); }
  // What the stream is given from now on begins after that moment.
  void waitFor(const Event& event) const;
  // Has the host wait until all that the stream has been given is done.
  void synchronize() const;

 private:
  struct End {
    void operator()(cudaStream_t stream) const noexcept { cudaStreamDestroy(stream); }
  };
  std::unique_ptr<std::remove_pointer_t<cudaStream_t>, End> stream_;
};

}  // namespace cudnn_resnet::cuda
