#include <filesystem>

#include "fuzz.h"

// The index lies beside two small files, a.safetensors with tensors x and y and b.safetensors with
// z.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes) {
  using namespace heddle;
  static const std::string folder = [] {
    std::string name = "/tmp/heddle-fuzz-XXXXXX";
    fuzz::require(mkdtemp(name.data()) != nullptr, "a folder is made");
    save_safetensors(name + "/a", {{"x", Array({1, 2, 3})}, {"y", Array(2.5f)}});
    save_safetensors(name + "/b", {{"z", Array({true, false})}});
    static const std::string kept = name;
    std::atexit([] { std::filesystem::remove_all(kept); });
    return name;
  }();
  static const std::string path = folder + "/index.json";
  FILE* file = std::fopen(path.c_str(), "wb");
  fuzz::require(file && std::fwrite(data, 1, bytes, file) == bytes && std::fclose(file) == 0,
                "the input is written");
  try {
    auto [arrays, metadata] = load_sharded_safetensors(path);
    for (const auto& [name, array] : arrays) {
      fuzz::require(name == "x" || name == "y" || name == "z", "no tensor is made up");
    }
  } catch (const UnsafeFileError&) {
  } catch (const std::runtime_error&) {  // a file that is not there
  }
  return 0;
}
