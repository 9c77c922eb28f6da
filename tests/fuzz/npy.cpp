#include "fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes) {
  using namespace heddle;
  fuzz::run([&] { load(fuzz::stream(data, bytes), "input").eval(); });
  return fuzz::run([&] {
    fuzz::File file(data, bytes);
    Array array = load(file.path());
    std::string again;
    save(fuzz::append_to(again), array);
    fuzz::require_same(array, load(fuzz::stream(again), "again"));
  });
}
