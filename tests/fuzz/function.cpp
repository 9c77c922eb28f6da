// .mlxfn and .heddle files of functions, which are called too.
#include "fuzz.h"
#include "io/heddle_file.h"
#include "io/mlxfn.h"

namespace {
using namespace heddle;

io::FunctionFile traces_of(const uint8_t* data, size_t bytes) {
  io::Bytes file{BufferRef(), reinterpret_cast<const char*>(data), bytes};
  if (io::looks_like_mlxfn(file)) return io::read_mlxfn(file, "input");
  auto [tensors, metadata] = load_safetensors(fuzz::stream(data, bytes), "input");
  return io::read_heddle({std::move(tensors), std::move(metadata)}, "input");
}

// Whether a call takes little memory and time.
bool is_small(const io::TracedFunction& trace) {
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

void call(const ImportedFunction& f, const io::TracedFunction& trace) {
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
    for (const io::TracedFunction& trace : traces_of(data, bytes).functions) {
      if (is_small(trace)) call(f, trace);
    }
    // A call that fits no trace lists them all.
    f({}, {{"no such name", Array(1)}});
  } catch (const UnsafeFileError&) {
  } catch (const std::invalid_argument&) {  // an operation that is not known
  }
  return 0;
}
