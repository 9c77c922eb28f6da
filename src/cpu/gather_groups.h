// Products that gather their matrices, grouped by the right one so that each is read once.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "cpu/kernel.h"
#include "cpu/scratch.h"

namespace heddle::cpu {

// For x (B, M, K) and out (indices, M, N), both row-major, calls
//   product(rows, row count, right index, results)
// for each matrix on the right that is used, with the rows of all its products one after the other.
// Throws std::out_of_range for an index beyond B or `matrices` before anything is computed.
template <class Product>
void each_gathered_matrix(const char* op, const Dense& x, const Dense& left, const Dense& right,
                          int64_t matrices, Node& out, Product&& product) {
  const uint32_t *from = left.as<uint32_t>(), *by = right.as<uint32_t>();
  const int64_t entries = x.view().shape[0], products = right.view().size();
  for (int64_t i = 0; i < products; i++) {
    if (from[i] >= entries || by[i] >= matrices) {
      throw std::out_of_range(
          fmt::format("[{}] Indices ({}, {}) are out of range for {} and {} matrices.", op, from[i],
                      by[i], entries, matrices));
    }
  }
  std::vector<int64_t> order(static_cast<size_t>(products));
  std::iota(order.begin(), order.end(), 0);
  if (!std::is_sorted(by, by + products)) {
    std::stable_sort(order.begin(), order.end(),
                     [&](int64_t a, int64_t b) { return by[a] < by[b]; });
  }
  const int64_t rows = x.view().shape[1];
  const size_t item = size_of(out.dtype);
  const size_t in_bytes = static_cast<size_t>(rows * x.view().shape[2]) * item;
  const size_t out_bytes = static_cast<size_t>(rows * out.shape.back()) * item;
  for (size_t i = 0; i < order.size();) {
    const int64_t* group = &order[i];
    size_t count = 1;
    bool dense_in = true, dense_out = true;  // already one after the other
    while (i + count < order.size() && by[group[count]] == by[*group]) {
      dense_in = dense_in && from[group[count]] == from[group[count - 1]] + 1;
      dense_out = dense_out && group[count] == group[count - 1] + 1;
      count++;
    }
    Scratch gathered(dense_in ? 0 : count * in_bytes), results(dense_out ? 0 : count * out_bytes);
    const char* in = x.as<char>() + from[*group] * in_bytes;
    if (!dense_in) {
      for (size_t j = 0; j < count; j++) {
        std::memcpy(gathered.as<char>() + j * in_bytes, x.as<char>() + from[group[j]] * in_bytes,
                    in_bytes);
      }
      in = gathered.as<char>();
    }
    char* to = dense_out ? out.data + static_cast<size_t>(*group) * out_bytes : results.as<char>();
    product(static_cast<const void*>(in), static_cast<int64_t>(count) * rows,
            static_cast<int64_t>(by[*group]), static_cast<void*>(to));
    if (!dense_out) {
      for (size_t j = 0; j < count; j++) {
        std::memcpy(out.data + static_cast<size_t>(group[j]) * out_bytes,
                    results.as<char>() + j * out_bytes, out_bytes);
      }
    }
    i += count;
  }
}

}  // namespace heddle::cpu
