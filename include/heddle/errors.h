// The exceptions the engine throws. Bad arguments: std::invalid_argument (Python ValueError);
// indices out of range: std::out_of_range (IndexError); dimensions too large: std::overflow_error
// (OverflowError); failures while evaluating or in the system: std::runtime_error (RuntimeError).
// Messages begin with the name of the operation in brackets.
#pragma once

#include <stdexcept>
#include <string>

namespace heddle {

// An axis that the array does not have. In Python both a ValueError and an IndexError.
class AxisError : public std::out_of_range {
 public:
  using std::out_of_range::out_of_range;
};

// A file that lies about itself or could do harm. In Python both a ValueError and a RuntimeError.
class UnsafeFileError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Returns `axis` counted from the front; throws AxisError unless -ndim <= axis < ndim.
int normalize_axis(const char* op, int64_t axis, int ndim);

}  // namespace heddle
