#include "fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes) {
  using namespace heddle;
  return fuzz::run([&] {
    fuzz::File file(data, bytes);
    auto [arrays, metadata] = load_safetensors(file.path());
    auto [streamed, same_metadata] = load_safetensors(fuzz::stream(data, bytes), "stream");
    fuzz::require_same(arrays, streamed);
    std::map<std::string, Array> sorted(arrays.begin(), arrays.end());
    std::string again;
    save_safetensors(fuzz::append_to(again), sorted, metadata);
    auto [reloaded, again_metadata] = load_safetensors(fuzz::stream(again), "again");
    fuzz::require_same(arrays, reloaded);
    fuzz::require(metadata == again_metadata, "metadata stay");
  });
}
