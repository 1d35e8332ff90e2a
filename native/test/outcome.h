// What it ends with that a device was given to do.
#pragma once

#include <functional>
#include <future>
#include <utility>

#include "core/device.h"

namespace cudnn_resnet::test {

// Waits for what `run` on the device's queue ends with.
inline Outcome outcomeOf(Device& device, std::function<void(Engine&)> run) {
  std::promise<Outcome> outcome;
  device.call(std::move(run), [&](Outcome error) { outcome.set_value(std::move(error)); });
  return outcome.get_future().get();
}

// Waits until all that was queued has run.
inline Outcome drained(Device& device) {
  return outcomeOf(device, [](Engine&) {});
}

// Waits for what `read` of x on the device's queue gives, and what is left of it when the values arrive.
inline Outcome readOutcome(
    Device& device, const TensorPtr& x,
    const std::function<Arrival(Engine&)>& read = [](Engine&) { return Arrival(); }) {
  std::promise<Outcome> outcome;
  device.read(x, read, [&](Outcome error) { outcome.set_value(std::move(error)); });
  return outcome.get_future().get();
}

}  // namespace cudnn_resnet::test
