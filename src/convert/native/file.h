// heddle's own program files (.heddle): a safetensors container that any tool for those can open.
// Its tensors are the constants, its metadata holds
//   format   "heddle"
//   version  "3"
//   program  JSON: {"shapeless", "metadata", "functions": [function, ...]}
// A function has "keywords" (names of the last inputs), "inputs" ([{"shape", "dtype"}]),
// "constants" (names of tensors), "nodes", "outputs", "structure" (of the results; null: a flat
// list), "input_structure" (likewise) and "input_names" (of all inputs, or of none). A node has
// "op", "inputs", "attributes" ({name: value}) and "results" ([{"shape", "dtype"}]). Values are
// numbered in this order: inputs, constants, results of the nodes; a node reads values with smaller
// numbers only. Numbers that JSON lacks are the strings "nan", "inf",
// "-inf".
//
// What holds for other sizes: "dimensions" ([{"name", "axes": [[input, axis], ...], "least"}]),
// "fixed" and "needed" ([[input, axis], ...], which have to stay; those that numbers depend on),
// "follows_sizes" (no number depends on sizes otherwise than it is stated); a node's "following"
// lists the numbers of its attributes that follow sizes, each [attribute, element, rest,
// [[dimension, factor], ...]], where the number is rest + the sum of factor * size. A node may have
// an "origin": [name, module path, location].
//
// Version 2 had no "dimensions", "follows_sizes" and "following"; version 1 had no "fixed" either,
// and held MLX's primitives. Both are read.
#pragma once

#include "convert/format.h"

namespace heddle::convert::native {

inline constexpr const char* suffix = ".heddle";
inline constexpr const char* format_name = "heddle";
inline constexpr int format_version = 3;

void write(const FunctionFile& file, const WriteFunction& sink);

// Throws UnsafeFileError with the label and field for a program that contradicts itself or is of a
// newer version, std::invalid_argument for an unknown operation.
FunctionFile read(const Source& source);

}  // namespace heddle::convert::native
