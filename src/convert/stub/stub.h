// A dialect to copy: a format of a few lines of text, read and written. It is no part of the
// library; tests/cpp/test_convert.cpp runs it. What a real format needs is here once:
//   stub.h          what the folder offers: reading a file, writing one, its dialect
//   file.cpp        bytes <-> Calls, and nothing of what they mean
//   dialect.cpp     the two tables: what calls mean, and which ops are written as which calls
// Its format is registered (convert/format.h), so that Program::load and Program::save know it. A
// row of a table needs a sample in the test, which fails for a row without one.
//
//   stub
//   input x float32 batch=2 4           a name for a size that may be another at each call
//   constant w 1.5 -2 0 1               a vector of float32
//   n = Size x axis=0 @model.py:3       a result or several; inputs; attributes; the origin
//   h = Scale x factor=2 @model.py:4
//   y = Reshape h n shape=[-1,2]
//   output y
#pragma once

#include "convert/calls.h"

namespace heddle::convert::stub {

const TableDialect& dialect();

// Throws UnsafeFileError, with `label` and the line, for text that is no program.
Calls read(const std::string& text, const std::string& label);
// Throws std::invalid_argument for what the text has no room for.
std::string write(const Calls& f);

}  // namespace heddle::convert::stub
