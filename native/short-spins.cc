// A module of its own, loaded before the addon: GNU's OpenMP, which the addon brings, reads the environment
// of the process once, when it is loaded, and a worker's process.env is a copy of that.
#include <node_api.h>

#include <cstdlib>

namespace {

constexpr const char* spins = "GOMP_SPINCOUNT";

bool isSet(const char* name) { return std::getenv(name) != nullptr; }

napi_value unset(napi_env /*env*/, napi_callback_info /*info*/) {
  unsetenv(spins);
  return nullptr;
}

}  // namespace

// Tells it to spin for fractions of a millisecond, not for seconds, before a thread of it sleeps, where the
// user has not said otherwise. Threads that spin starve each other, and the event loop, as soon as the
// machine has other work. Exports what takes that back: no process that is started later is to inherit it.
NAPI_MODULE_INIT() {
  if (!isSet(spins) && !isSet("OMP_WAIT_POLICY") && setenv(spins, "2000", 0) == 0) {
    napi_value function = nullptr;
    napi_create_function(env, "unset", NAPI_AUTO_LENGTH, unset, nullptr, &function);
    napi_set_named_property(env, exports, "unset", function);
  }
  return exports;
}
