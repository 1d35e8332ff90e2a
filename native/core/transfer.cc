#include "core/transfer.h"

#include <cstddef>
#include <future>
#include <vector>

namespace cudnn_resnet {

// The queue of `to` waits for what `from` reads. Both halves are posted together, on one thread, so that of
// two queues that wait for each other one always stands before the other's wait: there is no deadlock.
void transfer(Device& from, const TensorPtr& x, Device& to, const TensorPtr& y) {
  // What is larger than the device has no values that the host would hold.
  const size_t held = x->bytes() <= from.memory().limit ? x->bytes() : 0;
  from.backlog().requireRoom(held);
  to.backlog().requireRoom(held);
  const auto bytes = std::make_shared<std::vector<std::byte>>();
  const auto downloaded = std::make_shared<std::promise<Outcome>>();
  const std::shared_future<Outcome> outcome = downloaded->get_future().share();
  from.read(
      x,
      [x, bytes](Engine& engine) {
        bytes->resize(x->bytes());
        return engine.fetch(*x, bytes->data());
      },
      // bytes: `to` may be closed before they are written
      [downloaded, bytes](const Outcome& error) { downloaded->set_value(error); }, held);
  to.submit({{},
             {y},
             [y, bytes, outcome](Engine& engine) {
               if (const Outcome& error = outcome.get()) {
                 throw Error(*error);
               }
               engine.upload(bytes->data(), *y);
             },
             false,
             held});
}

}  // namespace cudnn_resnet
