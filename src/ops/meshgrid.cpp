// Grids of coordinates, composed of other ops.
#include "heddle/ops/shape.h"
#include "ops/checks.h"

namespace heddle {

Arrays meshgrid(const Arrays& arrays, bool sparse, const std::string& indexing, StreamOrDevice s) {
  if (indexing != "xy" && indexing != "ij") {
    refuse("meshgrid", "Invalid indexing value {}. Valid values are 'xy' and 'ij'.", indexing);
  }
  size_t n = arrays.size();
  Arrays out;
  for (size_t k = 0; k < n; k++) {
    // The first two axes change places for Cartesian indexing.
    size_t at = indexing == "xy" && n > 1 && k < 2 ? 1 - k : k;
    Shape shape(n, 1);
    shape[at] = arrays[k].size();
    out.push_back(reshape(arrays[k], shape, s));
  }
  return sparse ? out : broadcast_arrays(out, s);
}

}  // namespace heddle
