#include "core/transfer.h"

#include <cstddef>
#include <future>
#include <optional>

#include "core/host-memory.h"

namespace cudnn_resnet {

// The queue of `to` waits for what `from` reads. Both halves are posted together, on one thread, so that of
// two queues that wait for each other one always stands before the other's wait: there is no deadlock.
void transfer(Device& from, const TensorPtr& x, Device& to, const TensorPtr& y) {
  // What is larger than the device has no values that the host would hold.
  const size_t held = x->bytes() <= from.memory().limit ? x->bytes() : 0;
  from.backlog().requireRoom(held);
  to.backlog().requireRoom(held);
  const auto values = std::make_shared<std::optional<HostBuffer>>();
  const auto downloaded = std::make_shared<std::promise<Outcome>>();
  const std::shared_future<Outcome> outcome = downloaded->get_future().share();
  from.read(
      x,
      [x, values](Engine& engine) {
        values->emplace(x->bytes());
        return engine.fetch(*x, (*values)->get());
      },
      // values: `to` may be closed before they are written
      [downloaded, values](const Outcome& error) { downloaded->set_value(error); }, held);
  to.submit({{},
             {y},
             [y, values, outcome](Engine& engine) {
               if (const Outcome& error = outcome.get()) {
                 throw Error(*error);
               }
               engine.upload((*values)->get(), *y);
             },
             false,
             held});
}

}  // namespace cudnn_resnet
