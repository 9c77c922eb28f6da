#include "cpu/tile/kernels.h"

#include <hwy/highway.h>

#include <atomic>
#include <memory>
#include <mutex>

#include "cpu/simd.h"

namespace heddle::cpu::tile {
namespace {

Kernels* make_kernels() {
  auto k = std::make_unique<Kernels>();
  add_real_kernels(*k);
  add_integer_kernels(*k);
  add_exponential_kernels(*k);
  add_circular_kernels(*k);
  add_complex_kernels(*k);
  add_conversion_kernels(*k);
  return k.release();
}

// One table per target that Highway may choose; they live as long as the process.
std::atomic<const Kernels*> tables[HWY_MAX_DYNAMIC_TARGETS + 2];

}  // namespace

const Kernels& kernels() {
  hwy::ChosenTarget& chosen = hwy::GetChosenTarget();
  if (!chosen.IsInitialized()) chosen.Update(hwy::SupportedTargets());
  std::atomic<const Kernels*>& table = tables[chosen.GetIndex()];
  if (const Kernels* k = table.load(std::memory_order_acquire)) return *k;
  static std::mutex mutex;
  std::lock_guard<std::mutex> lock(mutex);
  if (!table.load(std::memory_order_relaxed))
    table.store(make_kernels(), std::memory_order_release);
  return *table.load(std::memory_order_relaxed);
}

}  // namespace heddle::cpu::tile
