// Evaluated arrays as C++ programs see them: row-major memory that they may write.
#include <fmt/format.h>

#include "core/graph_lock.h"
#include "core/node.h"

namespace heddle {
namespace {

// Copies the elements of `from`, in row-major order, to `to`.
template <class T>
void copy_elements(const View& from, T* to) {
  const Shape& shape = from.shape;
  const size_t rank = shape.size();
  const T* row = reinterpret_cast<const T*>(from.data);
  const int64_t n = rank ? shape.back() : 1, step = rank ? from.strides.back() : 0;
  const int64_t rows = n == 0 ? 0 : element_count(shape) / n;
  Shape position(rank, 0);
  for (int64_t r = 0; r < rows; r++) {
    for (int64_t i = 0; i < n; i++) *to++ = row[i * step];
    for (size_t d = rank - (rank > 0); d-- > 0;) {
      row += from.strides[d];
      if (++position[d] < shape[d]) break;
      row -= from.strides[d] * shape[d];
      position[d] = 0;
    }
  }
}

}  // namespace

void* Array::dense_data(bool writable) const {
  raw_data();  // throws unless there is something
  Node& node = *node_;
  auto is_fit = [&] {
    return node.row_contiguous() && !(writable && node.buffer && !node.buffer->writable);
  };
  if (!is_fit()) {
    // Nobody may compute with the memory that is given up; who did would hold the node.
    struct Lock {
      explicit Lock(bool quiet) { quiet ? void(lock_quiet_graph()) : lock_graph(); }
      ~Lock() { unlock_graph(); }
    } lock(node.references.load(std::memory_order_acquire) > 1);
    if (!is_fit()) {
      BufferRef own = allocate(node.nbytes());
      visit_width(size_of(node.dtype), [&](auto tag) {
        using T = typename decltype(tag)::type;
        copy_elements(node.view(), static_cast<T*>(own->data));
      });
      node.set_data(std::move(own));
    }
  }
  return node.data;
}

}  // namespace heddle
