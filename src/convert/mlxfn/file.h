// MLX's files of exported functions (.mlxfn): packed little-endian fields without a magic number,
// alignment or checksum. Header (version, count, shapeless, metadata), then the functions: names
// and shapes of the inputs, ids of the outputs, and a tape of entries, each an input, a constant
// with its bytes (once in a file), or a primitive with its state. Ids are any numbers that differ.
#pragma once

#include "convert/format.h"

namespace heddle::convert::mlxfn {

// Writes the oldest version that holds what the functions use. Constants are written row by row.
// Throws std::invalid_argument for a number that the layout has no room for.
void write(const FunctionFile& file, const WriteFunction& sink);

// Takes a file apart. Constants that are aligned stay in the bytes if those have an owner. Throws
// UnsafeFileError with the label, offset and field for a file that contradicts itself,
// std::invalid_argument for a primitive that heddle does not have. Nothing is built or inferred
// yet.
FunctionFile read(const Source& source);

}  // namespace heddle::convert::mlxfn
