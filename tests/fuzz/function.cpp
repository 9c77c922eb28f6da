// .mlxfn and .heddle files of functions, which are called too.
#include "convert/format.h"
#include "fuzz.h"

namespace {
using namespace heddle;

convert::FunctionFile traces_of(const uint8_t* data, size_t bytes) {
  const io::Bytes file{BufferRef(), reinterpret_cast<const char*>(data), bytes};
  return convert::format_of(file)->read({file, "", "input"});
}

// Whether a call takes little memory and time.
bool is_small(const convert::Calls& trace) {
  constexpr size_t largest_called = size_t{1} << 14;
  size_t total = 0;
  for (const Aval& value : trace.slots) {
    size_t elements = 1;
    for (int64_t n : value.shape) {
      elements *= static_cast<size_t>(n);
      if (elements > largest_called) return false;
    }
    total += elements;
  }
  return total <= largest_called;
}

void call(const ImportedFunction& f, const convert::Calls& trace) {
  Arrays args;
  NamedArguments named;
  for (size_t i = 0; i < static_cast<size_t>(trace.input_count); i++) {
    Array input = ones(trace.slots[i].shape, trace.slots[i].dtype);
    if (i < trace.positional_count()) {
      args.push_back(input);
    } else {
      named[trace.keywords[i - trace.positional_count()]] = input;
    }
  }
  try {
    eval(f(args, named));
  } catch (const std::exception&) {  // values that do not suit, found when they are computed
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes) {
  try {
    ImportedFunction f = import_function(data, bytes, "input");
    fuzz::require(f.metadata().size() <= bytes, "metadata are part of the file");
    for (const convert::Calls& trace : traces_of(data, bytes).functions) {
      if (is_small(trace)) call(f, trace);
    }
    // A call that fits no trace lists them all.
    f({}, {{"no such name", Array(1)}});
  } catch (const UnsafeFileError&) {
  } catch (const std::invalid_argument&) {  // an operation that is not known
  }
  return 0;
}
