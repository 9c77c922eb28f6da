#include "fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes) {
  using namespace heddle;
  return fuzz::run([&] {
    fuzz::File file(data, bytes);
    auto [arrays, metadata] = load_gguf(file.path());
    if (!fuzz::is_small(arrays)) return;
    std::map<std::string, Array> sorted;
    for (const auto& [name, array] : arrays) {
      array.eval();
      // What blocks unpack to may be no tensor of the format, and their new names too long.
      if (array.dtype() != uint32 && name.size() <= 64) sorted.emplace(name, array);
    }
    // Arrays without elements are no metadata that can be written.
    std::erase_if(metadata, [](const auto& entry) {
      const auto* array = std::get_if<Array>(&entry.second);
      return array && array->size() == 0;
    });
    std::string again;
    save_gguf(fuzz::append_to(again), sorted, metadata);
    auto [reloaded, again_metadata] = load_gguf(fuzz::stream(again), "again");
    fuzz::require_same(NamedArrays(sorted.begin(), sorted.end()), reloaded);
    fuzz::require(metadata.size() == again_metadata.size(), "metadata stay");
  });
}
