// The random op on its kernel.
#include "cpu/kernel.h"
#include "cpu/random.h"
#include "ops/random.h"

namespace heddle::cpu {
namespace {

const RegisterKernel<RandomBits> random_bits_kernel([](const Work& w) {
  const RandomBits& op = op_of<RandomBits>(w);
  Node& out = w.output();
  out.allocate_dense();
  const int64_t count = w.inputs[0].size() / 2;
  const int64_t bytes = element_count(op.shape) * op.width;
  if (count == 0 || bytes == 0) return;
  const Dense dense(w.input(0));
  random_bits(View{dense.view().data, uint32, {count, 2}, {2, 1}}, bytes, out.data);
});

}  // namespace
}  // namespace heddle::cpu
