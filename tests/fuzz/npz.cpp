#include "fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes) {
  using namespace heddle;
  return fuzz::run([&] {
    fuzz::File file(data, bytes);
    NamedArrays arrays = load_npz(file.path());
    if (!fuzz::is_small(arrays)) return;
    ArrayList list(arrays.begin(), arrays.end());
    std::string again;
    savez(fuzz::append_to(again), list, bytes % 2 == 1);
    fuzz::require_same(arrays, load_npz(fuzz::stream(again), "again"));
  });
}
