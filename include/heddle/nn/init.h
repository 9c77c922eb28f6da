// Initial values of parameters: new arrays of a given shape. Weights have the output features first
// and the input features last; what lies between them is the receptive field. `key` is that of
// random.h; without one the calling thread's is used. Shapes that do not suit throw
// std::invalid_argument.
#pragma once

#include <optional>
#include <string>

#include "heddle/array.h"
#include "heddle/ops/random.h"

namespace heddle::nn::init {

using random::Key;

Array constant(const Shape& shape, double value, Dtype dtype = float32);
Array normal(const Shape& shape, double mean = 0.0, double std = 1.0, Dtype dtype = float32,
             const Key& key = {});
Array uniform(const Shape& shape, double low = 0.0, double high = 1.0, Dtype dtype = float32,
              const Key& key = {});
Array identity(const Shape& shape, Dtype dtype = float32);  // of a square matrix

// How many inputs an output reads, or how many outputs an input feeds.
enum class Fan { in, out };
Fan fan_from(const std::string& name);  // "fan_in" or "fan_out"

// Deviation gain sqrt(2 / (fan in + fan out)), and bounds of gain sqrt(6 / (fan in + fan out))
// (Glorot and Bengio, 2010).
Array glorot_normal(const Shape& shape, double gain = 1.0, Dtype dtype = float32,
                    const Key& key = {});
Array glorot_uniform(const Shape& shape, double gain = 1.0, Dtype dtype = float32,
                     const Key& key = {});

// Deviation gain / sqrt(fan), and bounds of gain sqrt(3 / fan) (He et al., 2015).
Array he_normal(const Shape& shape, Fan mode = Fan::in, double gain = 1.0, Dtype dtype = float32,
                const Key& key = {});
Array he_uniform(const Shape& shape, Fan mode = Fan::in, double gain = 1.0, Dtype dtype = float32,
                 const Key& key = {});

// Normal values, of which a part of every row (0 to 1) is zero; of matrices.
Array sparse(const Shape& shape, double sparsity, double mean = 0.0, double std = 1.0,
             Dtype dtype = float32);

// Orthogonal rows or columns, whichever are fewer, times gain; of matrices.
Array orthogonal(const Shape& shape, double gain = 1.0, Dtype dtype = float32, const Key& key = {});

}  // namespace heddle::nn::init
