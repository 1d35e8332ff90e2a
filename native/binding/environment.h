// What one Node environment (the main thread, or one worker) holds of this addon.
#pragma once

#include <napi.h>

#include <functional>
#include <future>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/device.h"

namespace cudnn_resnet {

class Environment {
 public:
  // Makes the environment's state, once, at the load of the addon.
  static void create(Napi::Env env);
  static Environment& of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }

  explicit Environment(Napi::Env env);
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
  ~Environment() = default;

  // The classes of the handles, and JavaScript's class of errors.
  Napi::FunctionReference tensorClass;
  Napi::FunctionReference deviceClass;
  Napi::FunctionReference programClass;
  Napi::FunctionReference errorClass;

  // Holds all queues, between two operations, or has them go on.
  void holdQueues(bool held);

  // Waits for what a queue gives to the thread of JavaScript; queues that are held go on meanwhile.
  template <typename T>
  T await(std::future<T> future) {
    const bool held = held_;
    if (held) {
      holdQueues(false);
    }
    future.wait();
    if (held) {
      holdQueues(true);
    }
    return future.get();
  }

  // A new handle, of which the constructor takes `origin`.
  [[nodiscard]] Napi::Object make(const Napi::FunctionReference& handleClass, void* origin);
  // For such a constructor; nullptr where JavaScript's `new` calls it.
  [[nodiscard]] void* takeOrigin() noexcept { return std::exchange(origin_, nullptr); }

  // Lets the device's queue drop a tensor of which the handle is gone: at the end of the call from JavaScript
  // that is under way, for that may hold the tensor as well, and only the queue may be the last to.
  void release(std::shared_ptr<Device> device, TensorPtr tensor);

  // A call from JavaScript; calls can be within each other, through accessors.
  class Call {
   public:
    explicit Call(Environment& environment) : environment_(environment) { ++environment_.calls_; }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;
    ~Call();

   private:
    Environment& environment_;
  };

  // A buffer of zeros. Throws Error(OutOfMemory) where there is no memory for it.
  [[nodiscard]] Napi::ArrayBuffer arrayBuffer(size_t bytes) const;

  // Opened on first use. Throws Error(Device) where there is no such device.
  std::shared_ptr<Device> device(const std::string& id);
  // One that is no other's.
  std::shared_ptr<Device> open(const DeviceDescription& description);

  [[nodiscard]] Napi::Error toJavaScript(const Error& error) const;

  // A promise for something that a queue works on, and the buffer that it writes to, if there is one.
  struct Promised {
    Napi::FunctionReference resolve;
    Napi::FunctionReference reject;
    Napi::Reference<Napi::ArrayBuffer> buffer;
  };
  // Gives what the promise resolves with, or throws what it rejects with.
  using Finish = std::function<Napi::Value(Napi::Env, Promised&)>;
  // Called once, on any thread, with what settles the promise on the thread of JavaScript.
  using Settle = std::function<void(Finish)>;

  // Starts a promise: `start` is given what settles it. The process stays alive until then.
  Napi::Promise promise(const std::function<void(const Settle&)>& start, Napi::ArrayBuffer buffer = {});
  // Of work that no device does, on a thread of its own: `work` gives how to finish.
  Napi::Promise inBackground(std::function<Finish()> work, Napi::ArrayBuffer buffer = {});
  // For a device to be called back by: rejects with the error, where it tells of one.
  [[nodiscard]] static Device::Done settling(Settle settle, Finish finish = undefined);
  static Napi::Value undefined(Napi::Env env, Promised& promised);

 private:
  struct Completion {
    std::list<Promised>::iterator promised;
    Finish finish;
  };
  void end(std::list<Promised>::iterator promised);
  static Napi::Value takeSettlers(const Napi::CallbackInfo& info);
  static void complete(Napi::Env env, Napi::Function unused, Environment* self, Completion* completion);
  using Completions = Napi::TypedThreadSafeFunction<Environment, Completion, complete>;

  // Opens a device; it is held, too, where the queues are.
  std::shared_ptr<Device> add(const std::string& key, const DeviceDescription& description);

  // Runs before the environment goes down, while its thread may still use Node-API.
  void close();

  struct Released {
    std::shared_ptr<Device> device;
    TensorPtr tensor;
  };

  Napi::Env env_;
  int calls_ = 0;
  bool held_ = false;
  void* origin_ = nullptr;          // while make() runs
  std::vector<Released> released_;  // while a call is under way
  Napi::FunctionReference arrayBufferClass_;
  Napi::FunctionReference promiseClass_;
  Napi::FunctionReference takeSettlers_;
  Promised starting_;  // what takeSettlers() has got
  std::unordered_map<std::string, std::shared_ptr<Device>> devices_;
  std::list<Promised> promised_;
  Completions completions_;
  Queue background_;
};

}  // namespace cudnn_resnet
