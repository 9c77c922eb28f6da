// What is behind a Program.
#pragma once

#include "convert/trace.h"
#include "transforms/compile.h"

namespace heddle {

struct Program::State {
  convert::Calls calls;
  const convert::Dialect* dialect;
  bool shapeless;  // sizes may be others than those of the examples, but for calls.fixed
  Report report;
  mutable Compiled built{false};  // for each signature of inputs

  State(convert::Calls c, const convert::Dialect& d, bool any_size, Report found = {})
      : calls(std::move(c)), dialect(&d), shapeless(any_size), report(std::move(found)) {}

  // The results for arguments that fit (convert::fits), built once for each signature.
  Arrays run(const Arrays& inputs) const;
};

namespace convert {

// As Program::trace; `how` says the trees and names, where there are some.
Program traced_program(const ExportedFunction& fun, const Arrays& args, const NamedArguments& named,
                       const Program::Dimensions& dimensions, Tracing how = {});

// The program of what a dialect's file was taken apart into, all of which is read once. Throws
// ConversionError with what cannot be read. `shapeless` as in Program::State.
Program program_of(Calls calls, const Dialect& dialect, bool shapeless);

// A file of functions, taken apart and verified; see import_function.
struct Imported {
  FunctionFile file;  // without its functions
  std::vector<Program> programs;
};
Imported import_file(const std::string& path);
Imported import_memory(const void* data, size_t bytes, const std::string& label);

}  // namespace convert
}  // namespace heddle
