// Python's numbers as elements: exactly, rounded once, or refused.
#pragma once

#include <optional>
#include <string>

#include "bind.h"

namespace heddle::python {

std::string type_name_of(nb::handle value);
[[noreturn]] void refuse_type(nb::handle value);  // for what no array is made of

// A Python int as the widest integers hold it: `big` where only uint64 does.
struct Integer {
  int64_t value = 0;
  bool big = false;
  uint64_t bits() const { return static_cast<uint64_t>(value); }
  bool operator<(const Integer& o) const {
    if (big != o.big) return o.big;
    return big ? bits() < o.bits() : value < o.value;
  }
};

// Nothing if it takes more than 64 bits; to_integer throws OverflowError then.
std::optional<Integer> integer_of(PyObject* value);
Integer to_integer(PyObject* value);
[[noreturn]] void refuse_beyond_64_bits(PyObject* value);

// The dtype that MLX chooses: int32 where it holds the number, else int64 or uint64.
Dtype dtype_for(const Integer& v);
bool fits(const Integer& v, Dtype t);  // an integer dtype
std::string text_of(const Integer& v);
[[noreturn]] void refuse_overflow(const std::string& value, Dtype t);

Array scalar(const Integer& v, Dtype dtype);      // converted as arrays are
Array exact_integer(const Integer& v, Dtype t);   // the same number, or ValueError; bool is != 0
Array inexact_integer(PyObject* value, Dtype t);  // in a floating or complex dtype, rounded once
Integer truncated(double value, Dtype t);         // without its fraction; ValueError unless it fits

double to_double(PyObject* value);
complex64_t to_complex(PyObject* value);

// Whether as_number takes it.
bool is_other_number(PyObject* o);

// An array of a nest of lists and tuples, in `dtype` if one is given (lists.cpp).
bool is_sequence(PyObject* o);
Array from_list(PyObject* list, std::optional<Dtype> dtype);

}  // namespace heddle::python
