// .mlxfn and .heddle files of functions.
#include "fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes) {
  using namespace heddle;
  try {
    ImportedFunction f = import_function(data, bytes, "input");
    fuzz::require(f.metadata().size() <= bytes, "metadata are part of the file");
    // A call that fits no trace lists them all.
    f({}, {{"no such name", Array(1)}});
  } catch (const std::invalid_argument&) {  // UnsafeFileError, or an operation that is not known
  }
  return 0;
}
