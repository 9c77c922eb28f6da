// New arrays.
#pragma once

#include "heddle/array.h"

namespace heddle {

// `shape` copies of the scalar or broadcast `value`, in its dtype unless one is given.
Array full(const Shape& shape, const Array& value, StreamOrDevice s = {});
Array full(const Shape& shape, const Array& value, Dtype dtype, StreamOrDevice s = {});
Array full_like(const Array& a, const Array& value, StreamOrDevice s = {});
Array full_like(const Array& a, const Array& value, Dtype dtype, StreamOrDevice s = {});
Array zeros(const Shape& shape, Dtype dtype = float32, StreamOrDevice s = {});
Array ones(const Shape& shape, Dtype dtype = float32, StreamOrDevice s = {});
Array zeros_like(const Array& a, StreamOrDevice s = {});
Array ones_like(const Array& a, StreamOrDevice s = {});

// Ones on the k-th diagonal of n rows and m columns.
Array eye(int n, int m, int k = 0, Dtype dtype = float32, StreamOrDevice s = {});
Array eye(int n, Dtype dtype = float32, StreamOrDevice s = {});
Array identity(int n, Dtype dtype = float32, StreamOrDevice s = {});

// start, start + d, ... before stop, where d = dtype(start + step) - dtype(start). Not for bool.
Array arange(double start, double stop, double step, Dtype dtype, StreamOrDevice s = {});
Array arange(double start, double stop, double step = 1, StreamOrDevice s = {});  // float32
Array arange(int start, int stop, int step = 1, StreamOrDevice s = {});           // int32
Array arange(int stop, StreamOrDevice s = {});
// `num` values from start to stop, evenly spaced; `endpoint`: stop is the last one.
Array linspace(double start, double stop, int num = 50, Dtype dtype = float32, bool endpoint = true,
               StreamOrDevice s = {});

// Window functions of `m` points.
Array bartlett(int m, StreamOrDevice s = {});
Array hanning(int m, StreamOrDevice s = {});
Array hamming(int m, StreamOrDevice s = {});
Array blackman(int m, StreamOrDevice s = {});

}  // namespace heddle
