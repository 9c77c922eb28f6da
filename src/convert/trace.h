// Functions become calls of a dialect: traced with examples, recorded.
#pragma once

#include "convert/calls.h"
#include "heddle/export.h"

namespace heddle::convert {

// The arguments of a call in the order of a program's inputs.
struct Arguments {
  Arrays arrays;
  std::vector<std::string> keywords;

  Arguments(const Arrays& args, const NamedArguments& named);
};

// Whether they are as the examples were: in number, names, dtypes, ranks and, unless the function
// is shapeless, shapes.
bool fits(const Calls& f, const Arguments& a, bool shapeless);
// Inputs as text, as MLX lists them.
std::string listing(const Avals& inputs, const std::vector<std::string>& keywords,
                    const char* indent);

struct Tracing {
  bool shapeless = false;
  // Sizes that may be others, by name (Program::trace); null: any, if it is shapeless.
  const Program::Dimensions* dimensions = nullptr;
  // The structure of the results of the last run of the function.
  std::function<std::string()> structure = {};
  // Of the arguments: their tree (Program::input_structure) and names for them.
  std::string input_structure = {};
  std::vector<std::string> input_names = {};
  Report* report = nullptr;  // told what cannot be recorded, all of it; else it is thrown
};

// Throws std::invalid_argument for what the dialect cannot hold, by name, and for a function that
// reads an example by another way than its arguments. Passes what `fun` throws.
Calls trace(const ExportedFunction& fun, const Arrays& args, const NamedArguments& named,
            const Dialect& dialect, const Tracing& how = {});

// Calls of one dialect as those of another: built and recorded again. Numbers that follow the sizes
// of named dimensions follow them again.
Calls translate(const Calls& f, const Dialect& from, const Dialect& to, bool shapeless,
                Report* report = nullptr);

// Tells what a function is, in the records that export_function's callback sees.
void tell(const Calls& f, const Dialect& dialect, const ExportCallback& callback);

// Reads and verifies a file of functions as import_function does, and tells the callback each trace
// of it.
FunctionFile describe_function(const std::string& path, const ExportCallback& callback);

}  // namespace heddle::convert
