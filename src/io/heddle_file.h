// heddle's own program files (.heddle): a safetensors container that any tool for those can open.
// Its tensors are the constants, its metadata holds
//   format   "heddle"
//   version  "1"
//   program  JSON: {"shapeless", "metadata", "functions": [function, ...]}
// A function has "keywords" (names of the last inputs), "inputs" ([{"shape", "dtype"}]),
// "constants" (names of tensors), "nodes", "outputs" and "structure" (of the results; null: a flat
// list). A node has "op", "inputs", "attributes" ({name: value}) and "results" ([{"shape",
// "dtype"}]). Values are numbered in this order: inputs, constants, results of the nodes; a node
// reads values with smaller numbers only. Numbers that JSON lacks are the strings "nan", "inf",
// "-inf".
#pragma once

#include "io/file.h"
#include "io/traced_function.h"

namespace heddle::io {

inline constexpr const char* heddle_suffix = ".heddle";

void write_heddle(const FunctionFile& file, const WriteFunction& sink);

// From what the safetensors reader found. Throws UnsafeFileError with `label` and field for a
// program that contradicts itself or is of a newer version, std::invalid_argument for an unknown
// operation.
struct Container {
  std::unordered_map<std::string, Array> tensors;
  std::unordered_map<std::string, std::string> metadata;
};
FunctionFile read_heddle(const Container& container, const std::string& label);

}  // namespace heddle::io
