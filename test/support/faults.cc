// What scripts/test-sanitize.sh puts into the addon first, to see that it is found: a leak, and a write out
// of bounds.
#include <cstdlib>

namespace {

int* volatile last = nullptr;  // volatile, or the compiler would leave all of it out

[[gnu::constructor]] void makeFaults() {
  for (int i = 0; i < 100; ++i) {  // the address of one of them may stay somewhere
    last = new int[4];
  }
  if (std::getenv("WRITE_OUT_OF_BOUNDS") != nullptr) {
    last[4] = 0;
  }
}

}  // namespace
