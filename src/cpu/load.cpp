#include "ops/load.h"

#include "cpu/kernel.h"

namespace heddle::cpu {
namespace {

const RegisterKernel<Load> load([](const Work& w) {
  w.output().allocate_dense();
  op_of<Load>(w).fill(w.output().data);
});

}  // namespace
}  // namespace heddle::cpu
