// The scanning op on its kernel.
#include "cpu/kernel.h"
#include "cpu/pointwise.h"
#include "cpu/scan.h"
#include "ops/scan.h"

namespace heddle::cpu {
namespace {

const RegisterKernel<Scan> scan_kernel(
    [](const Work& w) {
      const Scan& op = op_of<Scan>(w);
      const bool last = op.axis == static_cast<int>(w.output().shape.size()) - 1;
      if (w.prologue || (last && !op.inclusive)) {
        w.output().allocate_dense();
      } else {
        allocate_or_donate(w, 0, 0);
      }
      scan(op.kind, source_of(w), op.axis, op.reverse, op.inclusive, w.output().view());
    },
    true);

}  // namespace
}  // namespace heddle::cpu
